"""Settings at points of a journal, read from its file; module `review` has the decisions."""

from dataclasses import dataclass

from gnomon.lattice import LatticeError, Ring
from gnomon.recorder.entries import Key, Run
from gnomon.recorder.reader import Reader
from gnomon.recorder.recorder_errors import ReviewError
from gnomon.recorder.review import Settings, known_nominals

__all__ = [
    "LastState",
    "Nominals",
    "RecordedState",
    "last_state_of",
    "same_machine",
    "state_at",
    "state_before",
    "state_now",
]


@dataclass(frozen=True, slots=True)
class RecordedState:
    """Settings after a command, in the run that it belongs to."""

    run: Run
    settings: Settings


@dataclass(frozen=True, slots=True)
class LastState:
    """The last settings of a server: its run, its settings, and the last command that changed them (0: none)."""

    run: Run
    settings: Settings
    sequence: int
    wall_ns: int


def state_at(reader: Reader, sequence: int) -> RecordedState:
    """Find the settings after command `sequence`; 0: at the start of the first run. Raises ReviewError if none."""
    run = reader.run(1) if sequence == 0 else reader.run(reader.entry(sequence).run)
    return RecordedState(run, {**run.baseline, **reader.last_effects(run.run, sequence).settings})


def state_now(reader: Reader) -> RecordedState:
    """Find the settings at the end of the newest run. Raises ReviewError if there is none."""
    run = reader.newest_run()
    return RecordedState(run, {**run.baseline, **reader.last_effects(run.run).settings})


def last_state_of(reader: Reader, machine: str, prefix: str) -> LastState | None:
    """Find the last settings of the newest server of a machine and prefix; None if the journal has no such server."""
    run = reader.newest_run_of(machine, prefix)
    if run is None:
        return None
    left = reader.last_effects(run.run)
    if not left.sequence:
        return LastState(run, dict(run.baseline), 0, run.wall_ns)
    last = reader.entry(left.sequence)
    wall_ns = last.applied.wall_ns if last.applied is not None else last.wall_ns
    return LastState(run, {**run.baseline, **left.settings}, left.sequence, wall_ns)


def state_before(reader: Reader, sequence: int) -> RecordedState:
    """Find the settings before command `sequence`, in its own run."""
    run = reader.run(reader.entry(sequence).run)
    return RecordedState(run, {**run.baseline, **reader.last_effects(run.run, sequence - 1).settings})


def same_machine(first: Run, second: Run) -> None:
    """Check that settings of both runs mean the same. Raises ReviewError otherwise."""
    if (first.machine, first.digest) != (second.machine, second.digest):
        raise ReviewError(
            f"run {first.run} was of {first.machine!r} (document {first.digest[:12]}), run {second.run} of "
            f"{second.machine!r} (document {second.digest[:12]}): their settings cannot be compared"
        )


class Nominals:
    """Nominal values of a run's settings, from its machine document or from the journal."""

    def __init__(self, reader: Reader, run: Run, ring: Ring | None) -> None:
        """Use `ring`, the run's machine if its document is still available; one with another digest is not used."""
        self._reader = reader
        self._run = run
        self._ring = ring if ring is not None and ring.digest == run.digest else None
        self._recorded: Settings | None = None

    def find(self, key: Key) -> float | None:
        """Find the nominal value; None if neither source has it."""
        if self._ring is not None:
            try:
                return self._ring.property_spec(*key).nominal
            except LatticeError:
                return None
        if self._recorded is None:
            runs = [run for run in self._reader.runs() if run.digest == self._run.digest]
            self._recorded = known_nominals(runs, self._reader.effects())
        return self._recorded.get(key)

    def __call__(self, key: Key) -> float:
        """Find the nominal value. Raises ReviewError if neither source has it."""
        value = self.find(key)
        if value is None:
            raise ReviewError(
                f"{key[0]} {key[1]}: the nominal value is unknown: the machine document of {self._run.machine!r} at "
                "that time is not available, and the journal does not have the value"
            )
        return value
