"""Initial state of a twin: the nominal lattice, or given settings, as the first command of its journal."""

import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gnomon.fault_injection import Injector
from gnomon.ioc.base.user import user_name
from gnomon.ioc.commands.planning import plan
from gnomon.lattice import Client, Command, Lattice, LatticeError, Record, Ring, Setting, Settled
from gnomon.recorder import Journal, Key, Reader
from gnomon.recorder.recorded_states import last_state_of
from gnomon.recorder.rendering import local_time


@dataclass(frozen=True)
class InitialState:
    """The lattice that a twin begins with. `changes` lead there from the nominal one; `note` says where they are from.

    `left_out` says, line by line, which settings were wanted and cannot be had.
    """

    lattice: Lattice
    changes: Mapping[Key, float]
    note: str = ""
    left_out: tuple[str, ...] = ()


def nominal(ring: Ring, note: str = "") -> InitialState:
    """The beginning of a twin that nobody has told anything."""
    return InitialState(ring.nominal, {}, note)


def from_settings(ring: Ring, settings: Mapping[Key, float], note: str) -> InitialState:
    """Begin with stored settings, by (device, setting), as far as the ring has them within its limits."""
    wanted: dict[Key, float] = {}
    left_out: list[str] = []
    for key, value in settings.items():
        try:
            alone = ring.nominal.updated({key: value})
        except LatticeError as error:
            left_out.append(_reason(error))
            continue
        if alone is not ring.nominal and alone.id != ring.nominal.id:
            wanted[key] = value
    try:
        lattice = ring.nominal.updated(wanted)
    except LatticeError:  # each can be had, but not all of them together
        lattice, taken = ring.nominal, dict[Key, float]()
        for key, value in wanted.items():
            try:
                lattice = lattice.updated({key: value})
                taken[key] = value
            except LatticeError as error:
                left_out.append(_reason(error))
        wanted = taken
    return InitialState(lattice, wanted, note, tuple(left_out))


def from_lattice(lattice: Lattice, note: str) -> InitialState:
    """Begin with a lattice of the same ring, whatever made it."""
    ring = lattice.ring
    keys = {s.slot: key for key, s in ring.properties.items() if s.slot is not None and s.setting == s.property}
    changes = {keys[slot]: lattice[keys[slot]] for slot in lattice.changed_slots(ring.nominal)}
    return InitialState(lattice, changes, note)


def last_state(ring: Ring, path: Path, prefix: str) -> InitialState | None:
    """Return the state in which the last server of this machine and prefix ended; None if the journal has none."""
    with Reader(path) as reader:
        left = last_state_of(reader, ring.name, prefix)
    if left is None:
        return None
    source = f"run {left.run.run}" + (f", command {left.sequence}" if left.sequence else "")
    found = from_settings(ring, left.settings, f"restore {source}, of {local_time(left.wall_ns)}")
    if not found.changes and not found.left_out:
        return nominal(ring, f"nothing to restore: {source} left every setting nominal")
    return found


def last_state_or_nominal(
    ring: Ring, path: Path, prefix: str, otherwise: Callable[[], InitialState] | None = None
) -> InitialState:
    """Return the state in which the last server ended; if the journal has none, `otherwise`, and a note why.

    Without `otherwise`, that is the nominal one.
    """
    last = last_state(ring, path, prefix)
    if last is not None:
        return last
    start = nominal(ring) if otherwise is None else otherwise()
    unknown = f"nothing to restore: {path} knows no earlier server of {ring.name!r} under {prefix!r}"
    return replace(start, note=f"{unknown}; {start.note}" if start.note else unknown)


def record_start(journal: Journal, ring: Ring, prefix: str, start: InitialState) -> None:
    """Note the start in the journal, with what leads to its lattice as one command. Raises JournalError."""
    journal.begin_run(
        machine=ring.name,
        digest=ring.digest,
        prefix=prefix,
        lattice_id=ring.nominal.id,
        baseline={},
        first=_first(journal.next_sequence, ring, prefix, start) if start.changes else None,
    )


def _first(sequence: int, ring: Ring, prefix: str, start: InitialState) -> tuple[Record, Settled]:
    settings = tuple(Setting(f"{prefix}dt:set", *key, value) for key, value in start.changes.items())
    wall_ns = time.time_ns()
    client = Client(user_name(), socket.gethostname(), "internal")
    command = Command(sequence, settings, client, wall_ns, time.monotonic_ns(), start.note)
    step = plan(command, ring.nominal, Injector().decide, wall_ns)
    return step.record, step.settled


def _reason(error: LatticeError) -> str:
    return str(error).removesuffix("; nothing was changed")
