"""A machine document that takes the place of the served one behind the same PVs: what it needs, and what it keeps."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from gnomon.db.pvs import PvSpec
from gnomon.db.store import StoredDocument
from gnomon.ioc.app import initial_state
from gnomon.ioc.app.initial_state import InitialState
from gnomon.ioc.app.twin import Twin
from gnomon.ioc.base.machines import LoadedMachine, pvs_of
from gnomon.lattice import GnomonError, Lattice, MachineDocument
from gnomon.propagator import Compute

#: Longest text about a PV that differs [characters].
MAX_SHOWN = 200


class ReloadError(GnomonError):
    """A machine document that cannot be taken over by a running server: why, and what to do."""


@dataclass(frozen=True)
class Candidate:
    """A machine that may take the place of the served one. `other_pv` says which PV differs first; empty: none."""

    machine: LoadedMachine
    specs: tuple[PvSpec, ...]
    other_pv: str
    new_names: tuple[str, ...]


def candidate(present: LoadedMachine, found: StoredDocument, document: MachineDocument, prefix: str) -> Candidate:
    """The machine of another document, with the PV documents of the present one. Raises DocumentError, LatticeError."""
    machine = replace(present, document=document, origin=f"store, revision {found.revision}")
    before, after = pvs_of(present, prefix), pvs_of(machine, prefix)
    names = {spec.name for spec in before}
    new = tuple(spec.name for spec in after if spec.name not in names)
    return Candidate(machine, after, _other_pv(before, after), new)


def _other_pv(before: Sequence[PvSpec], after: Sequence[PvSpec]) -> str:
    """Say which PV differs first, and in what; empty if none does."""
    old, new = {spec.name: spec for spec in before}, {spec.name: spec for spec in after}
    if gone := next((name for name in old if name not in new), None):
        return f"{gone} would be gone"
    if added := next((name for name in new if name not in old), None):
        return f"{added} would be new"
    for name, spec in old.items():
        for field in fields(PvSpec):
            was, becomes = getattr(spec, field.name), getattr(new[name], field.name)
            if not _alike(was, becomes):
                values = f"{name}: {field.name} {was!r} would be {becomes!r}"
                return values if len(values) <= MAX_SHOWN else f"{name}: other {field.name}"
    return "" if [*old] == [*new] else "they stand in another order"


def _alike(one: object, other: object) -> bool:
    """Tell whether clients would see two facts as the same; limits that only rounding tells apart are."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(_alike, one, other))
    return one == other


def check_idle(twin: Twin, forks: Sequence[str]) -> None:
    """Raise ReloadError while there is what a reload would silently end: faults, forks."""
    if faults := twin.injector.active():
        raise ReloadError(f"faults are injected ({len(faults)}): clear them first (gnomon fault clear --all)")
    if forks:
        raise ReloadError(f"there are forks ({', '.join(forks)}): drop them first (gnomon fork drop {forks[0]})")


def carried(machine: LoadedMachine, present: Lattice, note: str) -> InitialState:
    """The settings that were changed, in another document's ring; all others have its nominal values."""
    changes = initial_state.from_lattice(present, "").changes
    return initial_state.from_settings(machine.ring, changes, note)


def check_beam(compute: Compute, present: Compute, start: InitialState, lattice: Lattice) -> None:
    """Raise ReloadError if a beam that is there would be lost."""
    state = compute(start.lattice)
    if not state.found and present(lattice).found:
        raise ReloadError(f"the new document has no beam with the present settings: {state.reason}")
