"""Compilation of the kernels that only studies need, before a study starts."""

from collections.abc import Callable
from contextlib import suppress

import numpy as np

from gnomon.lattice import GnomonError, Ring
from gnomon.propagator.compiled import cache_folder
from gnomon.propagator.derivatives import derivative_kernels as kernels
from gnomon.propagator.derivatives import misalignment_response, orbit_response
from gnomon.propagator.ensembles import Ensemble, track
from gnomon.propagator.propagator import Propagator
from gnomon.propagator.six import SixD, envelope
from gnomon.propagator.warmup import Progress

#: File that is written next to `warmup.MARK` when these kernels are in the cache.
MARK = "complete-studies"

Step = tuple[str, Callable[[], object]]


def study_kernels_are_cached() -> bool:
    """Return True if the machine code of all studies is in the cache."""
    return (cache_folder() / MARK).exists()


def compile_study_kernels(ring: Ring, progress: Progress | None = None) -> None:
    """Compile the kernels of derivatives, tracking and six dimensions, or load them, by small studies of `ring`.

    `progress` is called as by `warmup.compile_kernels`, which should run first. If the ring has no beam, or lacks the
    elements that a study needs, the kernels concerned are compiled on first use.
    """
    if _compile([*_responses(ring), *_tracking(ring)], progress):
        mark_study_kernels_cached()


def compile_response_kernels(ring: Ring, progress: Progress | None = None) -> bool:
    """Compile the part of `compile_study_kernels` that needs the live model's kernels; True if all were compiled."""
    return _compile(_responses(ring), progress)


def compile_tracking_kernels(ring: Ring, progress: Progress | None = None) -> bool:
    """Compile the other part, which can run in a process of its own; True if all kernels were compiled."""
    return _compile(_tracking(ring), progress)


def mark_study_kernels_cached() -> None:
    """Mark both parts as being in the cache, unless machine code is not kept."""
    folder = cache_folder()
    if kernels.chain_maps.stats.cache_path and folder.is_dir():  # type: ignore[attr-defined]
        (folder / MARK).touch()


def _responses(ring: Ring) -> list[Step]:
    lattice, propagate = ring.nominal, Propagator(ring)
    return [
        ("orbit response", lambda: orbit_response(propagate, lattice, hold="frequency")),
        ("misalignment response", lambda: misalignment_response(propagate, lattice)),
    ]


def _tracking(ring: Ring) -> list[Step]:
    lattice, six = ring.nominal, SixD(ring)
    return [
        ("tracking", lambda: track(lattice, Ensemble(np.zeros((6, 1))), 1)),
        ("six dimensions", lambda: six(lattice)),
        ("six dimensions, next to it", lambda: six(lattice)),
        ("envelope", lambda: envelope(six, lattice)),
    ]


def _compile(steps: list[Step], progress: Progress | None) -> bool:
    complete = True
    for done, (name, compile_one) in enumerate(steps):
        if progress is not None:
            progress(name, done, len(steps))
        with suppress(GnomonError):
            compile_one()
            continue
        complete = False
    if progress is not None:
        progress("study kernels", len(steps), len(steps))
    return complete
