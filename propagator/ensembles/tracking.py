"""Tracking of an ensemble around a ring, on several threads, within a time limit, with a record of every loss."""

import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np

from gnomon.lattice import Lattice
from gnomon.propagator.compiled import Floats, Integers
from gnomon.propagator.ensembles.apertures import Apertures, check_names
from gnomon.propagator.ensembles.ensemble import Ensemble, Losses, Tracked
from gnomon.propagator.ensembles.lanes import LANES, ROWS
from gnomon.propagator.ensembles.tracking_errors import TrackingError, checked_count, checked_number
from gnomon.propagator.ensembles.tracking_kernels import run_blocks
from gnomon.propagator.ensembles.tracking_table import TrackingTable
from gnomon.propagator.warmup import Progress

#: Maximum rows in one call of the compiled code, about a tenth of a second, and turns between two reports.
MAX_ROWS, REPORT_TURNS = 200_000, 50

#: Maximum number of turns, and of threads.
MAX_TURNS, MAX_THREADS = 1_000_000_000, 64


class CollectiveStep(Protocol):
    """An effect of the particles in a bunch on each other; it may keep state from turn to turn."""

    def act(self, coordinates: Floats, turn: int) -> None:
        """Change the coordinates (6, n) of all surviving particles in place; delta must stay above -1."""


class ParticleBlocks:
    """Particles in blocks of `LANES`; the last block is filled up with particles that count as lost."""

    def __init__(self, coordinates: Floats, starts: Integers | None = None) -> None:
        self.count = coordinates.shape[1]
        blocks = -(-self.count // LANES)
        self.starts: Integers = np.zeros(blocks, dtype=np.int64) if starts is None else starts
        padded = np.zeros((ROWS, blocks * LANES))
        padded[:6, : self.count] = coordinates
        lost = np.full(blocks * LANES, -1, dtype=np.int64)
        bad = ~np.all(np.isfinite(padded), axis=0) | ~(padded[4] > -1.0)
        self.lost_at: Floats = np.zeros((blocks, 6, LANES))
        self.lost_at[:] = padded[:6].reshape(6, blocks, LANES).transpose(1, 0, 2)
        padded[:, bad] = 0.0
        lost[bad] = 0
        lost[self.count :] = 0
        padded[6] = 1.0 / (1.0 + padded[4])
        self.state: Floats = np.ascontiguousarray(padded.reshape(ROWS, blocks, LANES).transpose(1, 0, 2))
        self.state = self.state.reshape(blocks, ROWS * LANES)
        self.lost_turn: Integers = lost.reshape(blocks, LANES)
        self.lost_place: Integers = np.zeros((blocks, LANES), dtype=np.int64)

    @property
    def alive(self) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
        """Return the mask of the particles that are not lost."""
        return np.asarray(self.lost_turn.reshape(-1)[: self.count] < 0)

    def coordinates(self) -> Floats:
        """Return the particles (6, n), with 0 for the lost ones."""
        rows = self.state.reshape(-1, ROWS, LANES).transpose(1, 0, 2).reshape(ROWS, -1)
        return np.ascontiguousarray(rows[:6, : self.count])

    def losses(self) -> Losses:
        """Return the losses so far."""
        particle = np.flatnonzero(~self.alive).astype(np.int64)
        at = self.lost_at.transpose(1, 0, 2).reshape(6, -1)[:, particle]
        return Losses(
            particle,
            self.lost_turn.reshape(-1)[particle],
            self.lost_place.reshape(-1)[particle],
            np.ascontiguousarray(at),
        )

    def let_act(self, step: CollectiveStep, name: str, turn: int) -> None:
        """Let a collective step change the surviving particles."""
        alive = self.alive
        if not alive.any():
            return
        coordinates = self.coordinates()
        live = np.ascontiguousarray(coordinates[:, alive])
        step.act(live, turn)
        if not (np.all(np.isfinite(live)) and np.all(live[4] > -1.0)):
            raise TrackingError(
                f"{name}: in turn {turn} the collective step gave coordinates that are not finite, or delta <= -1"
            )
        coordinates[:, alive] = live
        rows = self.state.reshape(-1, ROWS, LANES)
        padded = np.zeros((6, rows.shape[0] * LANES))
        padded[:, : self.count] = coordinates
        rows[:, :6] = padded.reshape(6, -1, LANES).transpose(1, 0, 2)
        rows[:, 6] = 1.0 / (1.0 + rows[:, 4])


class Runner:
    """Threads that carry particle blocks through a tracking table until a deadline."""

    def __init__(
        self, table: TrackingTable, threads: int | None, time_limit_s: float, progress: Progress | None
    ) -> None:
        self.table = table
        if threads is None:
            threads = min(os.cpu_count() or 1, MAX_THREADS)
        self.threads = checked_count("threads", threads, 1, MAX_THREADS)
        self.time_limit_s = checked_number("time limit", time_limit_s, "s", 0.0, 1e9)
        self._load_code(progress)
        self.started = time.monotonic()
        self._pool = ThreadPoolExecutor(self.threads) if self.threads > 1 else None

    def __enter__(self) -> "Runner":
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def run(self, blocks: ParticleBlocks, first_row: int, last_row: int, first_turn: int, turns: int) -> None:
        """Carry all blocks through rows, `turns` times. Raises TrackingError at the deadline."""
        count = blocks.state.shape[0]
        rows = max(1, (last_row - first_row) * turns)
        size = max(1, min(MAX_ROWS // rows, -(-count // self.threads)))
        pieces = [(b, min(b + size, count)) for b in range(0, count, size)]
        if self._pool is None or len(pieces) == 1:
            for piece in pieces:
                self._run(blocks, *piece, first_row, last_row, first_turn, turns)
            return
        futures = [self._pool.submit(self._run, blocks, *p, first_row, last_row, first_turn, turns) for p in pieces]
        try:
            for future in futures:
                future.result()
        finally:
            for future in futures:
                future.cancel()

    def _load_code(self, progress: Progress | None) -> None:
        """Compile, or load from the cache, before the clock starts; `progress` is called once per process."""
        known = bool(run_blocks.signatures)  # type: ignore[attr-defined]
        if progress is not None and not known:
            progress("tracking code", 0, 1)
        if not known:
            self._call(ParticleBlocks(np.zeros((6, 1))), 0, 0, 0, 0, 0, 0)
        if progress is not None and not known:
            progress("tracking code", 1, 1)

    def _run(
        self, blocks: ParticleBlocks, first: int, last: int, first_row: int, last_row: int, first_turn: int, turns: int
    ) -> None:
        if time.monotonic() - self.started > self.time_limit_s:
            raise TrackingError(
                f"tracking took longer than {self.time_limit_s:g} s and was ended in turn {first_turn}; "
                "ask for fewer particles or turns, or allow more time"
            )
        self._call(blocks, first, last, first_row, last_row, first_turn, turns)

    def _call(
        self, blocks: ParticleBlocks, first: int, last: int, first_row: int, last_row: int, first_turn: int, turns: int
    ) -> None:
        t = self.table
        run_blocks(
            blocks.state, blocks.lost_turn, blocks.lost_place, blocks.lost_at, blocks.starts, first, last, first_row,
            last_row, first_turn, turns, t.kinds, t.slices, t.values, t.places, t.shapes, t.openings, t.has_frame,
            t.frames,
        )  # fmt: skip

    def turns(self, blocks: ParticleBlocks, turns: int, progress: Progress | None, what: str = "turns") -> None:
        """Carry all blocks around the ring; `progress` is called at intervals."""
        done = 0
        while done < turns:
            some = min(turns - done, max(1, min(REPORT_TURNS, MAX_ROWS // self.table.kinds.size)))
            self.run(blocks, 0, self.table.kinds.size, done, some)
            done += some
            if progress is not None:
                progress(what, done, turns)
            if not blocks.alive.any():
                return


def track(
    lattice: Lattice,
    ensemble: Ensemble,
    turns: int,
    *,
    apertures: Apertures | None = None,
    cavities: bool = False,
    steps: Mapping[str, CollectiveStep] | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
    time_limit_s: float = 3600.0,
) -> Tracked:
    """Carry an ensemble around the ring `turns` times, with pyAT's integrator for each particle's own momentum.

    `apertures` are chambers by element name; without one, a particle is lost beyond 1 m or when it is not finite. With
    `cavities` the momentum changes (6D), without it is constant. `steps`, by element name, act on the whole ensemble at
    the entrances of these elements. `threads` defaults to all processors. `progress` is called with the turns done and
    may raise to end the tracking. The first call compiles, or loads the code from the cache. Raises TrackingError for
    bad input and at `time_limit_s`; lost particles never raise.
    """
    checked_count("turns", turns, 1, MAX_TURNS)
    steps = steps or {}
    check_names(lattice.ring, steps, "collective step")
    table = TrackingTable(lattice, apertures or {}, cavities)
    blocks = ParticleBlocks(ensemble.coordinates)
    with Runner(table, threads, time_limit_s, progress) as runner:
        if progress is not None:
            progress("turns", 0, turns)
        if not steps:
            runner.turns(blocks, turns, progress)
        else:
            _run_with_steps(runner, blocks, lattice, turns, steps, progress)
        seconds = time.monotonic() - runner.started
    coordinates = blocks.coordinates()
    coordinates[:, ~blocks.alive] = np.nan
    losses = blocks.losses()
    for array in (coordinates, losses.particle, losses.turn, losses.element, losses.coordinates):
        array.flags.writeable = False
    return Tracked(coordinates, losses, turns, seconds)


def _run_with_steps(
    runner: Runner,
    blocks: ParticleBlocks,
    lattice: Lattice,
    turns: int,
    steps: Mapping[str, CollectiveStep],
    progress: Progress | None,
) -> None:
    rows = runner.table.rows_before
    stops = sorted((int(rows[lattice.ring.index[name]]), name) for name in steps)
    for turn in range(turns):
        row = 0
        for stop, name in stops:
            runner.run(blocks, row, stop, turn, 1)
            blocks.let_act(steps[name], name, turn)
            row = stop
        runner.run(blocks, row, runner.table.kinds.size, turn, 1)
        if progress is not None and ((turn + 1) % REPORT_TURNS == 0 or turn + 1 == turns):
            progress("turns", turn + 1, turns)
