"""Versions of the lattice by name: nominal, named optics, snapshots, and points of a journal."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gnomon.ioc.base.config import Config
from gnomon.ioc.base.machines import find_machine, recorded_machine
from gnomon.ioc.base.snapshot_store import StoredSnapshot, find, list_snapshots
from gnomon.lattice import GnomonError, Lattice, LatticeError, Ring
from gnomon.recorder import Reader, ReviewError
from gnomon.recorder.recorded_states import state_at
from gnomon.recorder.snapshots import assignments

__all__ = ["KnownLattice", "UnknownLatticeError", "at_command", "at_id", "at_snapshot", "with_optics"]

#: Shortest beginning of a lattice id that is looked for.
MIN_ID = 4


class UnknownLatticeError(GnomonError):
    """No version of the lattice is known by a name."""


@dataclass(frozen=True, slots=True)
class KnownLattice:
    """A version of the lattice, and where its settings are from, for people: `snapshot flat`."""

    lattice: Lattice
    origin: str


def with_optics(config: Config, optics: str | None = None) -> KnownLattice:
    """Find the nominal lattice, or named optics, of the configured machine. Raises UnknownLatticeError."""
    return _with_optics(find_machine(config).ring, optics)


def _with_optics(ring: Ring, optics: str | None) -> KnownLattice:
    if optics is None or optics == "nominal":
        return KnownLattice(ring.nominal, "optics nominal")
    if optics not in ring.optics:
        names = ", ".join(["nominal", *ring.optics])
        raise UnknownLatticeError(f"{ring.name}: there is no optics {optics!r}; there are {names}")
    return KnownLattice(ring.optics[optics], f"optics {optics}")


def at_snapshot(config: Config, name: str, revision: int | None = None) -> KnownLattice:
    """Find the lattice with a snapshot's settings; those that an imported one lacks are nominal.

    Raises SnapshotError for an unknown name, DocumentError when the snapshot's machine is not known any more, and
    ReviewError for settings that it does not allow.
    """
    return _of_snapshot(config, find(config, name, revision))


def at_command(config: Config, journal: Path, sequence: int) -> KnownLattice:
    """Find the lattice as it was after a command of a journal; 0: before the first one.

    Raises JournalError for a file that cannot be read, ReviewError for an unknown command, and DocumentError when the
    machine of that time is not known any more.
    """
    with Reader(journal) as reader:
        point = state_at(reader, sequence)
    ring = _ring(config, point.run.machine, point.run.digest)
    return KnownLattice(ring.nominal.updated(point.settings), f"command {sequence} of {point.run.prefix!r}")


def at_id(config: Config, find_journal: Callable[[], Path], wanted: str) -> KnownLattice:
    """Find a lattice by its id or the beginning of it: nominal, optics, of a snapshot, or in the journal.

    The journal is looked for only when nothing else has the id. Raises UnknownLatticeError when none of them has it.
    """
    if len(wanted) < MIN_ID:
        raise UnknownLatticeError(f"lattice {wanted!r}: give at least the first {MIN_ID} characters of the id")
    ring = find_machine(config).ring
    for name in ("nominal", *ring.optics):
        known = _with_optics(ring, name)
        if known.lattice.id.startswith(wanted):
            return known
    for kept in list_snapshots(config):
        if kept.snapshot.lattice_id.startswith(wanted):
            return _reproduced(_of_snapshot(config, kept), wanted)
    journal = find_journal()
    if journal.exists():
        with Reader(journal) as reader:
            sequence = reader.command_of_lattice(wanted)
        if sequence is not None:
            return _reproduced(at_command(config, journal, sequence), wanted)
    raise UnknownLatticeError(
        f"lattice {wanted!r} is neither nominal nor in the journal {journal} nor that of a snapshot; `gnomon log show "
        "N` shows the ids"
    )


def _of_snapshot(config: Config, kept: StoredSnapshot) -> KnownLattice:
    snapshot = kept.snapshot
    nominal = _ring(config, snapshot.machine, snapshot.digest).nominal
    todo = assignments(snapshot, nominal)
    return KnownLattice(nominal.updated({(a.device, a.setting): a.value for a in todo}), f"snapshot {kept.name}")


def _ring(config: Config, machine: str, digest: str) -> Ring:
    """Find the ring of a recording: the configured machine where it is that one, or as it was recorded."""
    with suppress(LatticeError):
        configured = find_machine(config).ring
        if configured.digest == digest:
            return configured
    return recorded_machine(config, machine, digest).ring


def _reproduced(known: KnownLattice, wanted: str) -> KnownLattice:
    if not known.lattice.id.startswith(wanted):
        raise ReviewError(
            f"lattice {wanted!r} of {known.origin} cannot be reproduced: its settings now give {known.lattice.id}"
        )
    return known
