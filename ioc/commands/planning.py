"""The effect of a command on the lattice, decided without I/O: requested changes, outcome, and new lattice."""

from collections.abc import Callable
from dataclasses import dataclass

from gnomon.fault_injection import Decision
from gnomon.lattice import (
    ENERGY,
    VOLTAGE,
    Change,
    Command,
    Lattice,
    LatticeError,
    Outcome,
    Record,
    RefusedValue,
    Ring,
    Setting,
    Settled,
)

#: What faults and devices make of a command: its number, the lattice that it comes to, and its settings.
Decide = Callable[[int, Lattice, tuple[Setting, ...]], Decision]


@dataclass(frozen=True, slots=True)
class Step:
    """The plan of one command: its record for the journal, and its result.

    `settings` are still to be applied after `delay_s`, if that is not 0. `decision` is what faults make of it, if they
    were asked.
    """

    record: Record
    settled: Settled
    lattice: Lattice
    delay_s: float = 0.0
    settings: tuple[Setting, ...] = ()
    decision: Decision | None = None

    @property
    def told(self) -> str:
        """The reason that the client is told if its command was not accepted: of a fault's refusal, not the fault."""
        return (self.decision.refusal if self.decision else "") or self.settled.reason

    @property
    def accepted(self) -> bool:
        """True if the client is told that its command was accepted: a fault that loses it stays hidden."""
        return self.settled.outcome not in (Outcome.REJECTED, Outcome.FAILED)


def plan(command: Command, lattice: Lattice, decide: Decide, wall_ns: int) -> Step:
    """Plan a command whose settings name properties of the ring. `decide` is the fault injector's."""
    try:
        asked = lattice.updated(_values(command.settings))
    except LatticeError as error:
        return refuse(command, lattice, str(error), wall_ns)
    record = Record(command, changes(lattice, command.settings, asked, done=False), lattice.id)
    decision = decide(command.sequence, lattice, command.settings)
    if decision.outcome in (Outcome.ABANDONED, Outcome.REJECTED):
        settled = _settled(command, decision.outcome, lattice, wall_ns, decision.reason)
        return Step(record, settled, lattice, decision=decision)
    if decision.delay_s > 0.0:
        settled = _settled(command, Outcome.DELAYED, lattice, wall_ns, decision.reason)
        return Step(record, settled, lattice, decision.delay_s, decision.settings, decision)
    settled, after = apply(command.sequence, decision.settings, lattice, decision.outcome, wall_ns, decision.reason)
    return Step(record, settled, after, decision=decision)


def apply(
    sequence: int, settings: tuple[Setting, ...], lattice: Lattice, outcome: Outcome, wall_ns: int, reason: str
) -> tuple[Settled, Lattice]:
    """Apply settings: the outcome for the journal, and the new lattice. A value that a fault has spoilt fails."""
    try:
        after = lattice.updated(_values(settings))
    except LatticeError as error:
        text = f"{reason}: {error}" if reason else str(error)
        return Settled(sequence, Outcome.FAILED, lattice.id, wall_ns, reason=text), lattice
    done = changes(lattice, settings, after, done=True)
    return Settled(sequence, outcome, after.id, wall_ns, done, reason), after


def keep(command: Command, kept: tuple[tuple[str, str, str], ...], lattice: Lattice, wall_ns: int) -> Step:
    """Plan a command that changes nothing: the journal shows its PV, device and property with the present value."""
    present = tuple(Setting(pv, device, name, lattice[device, name]) for pv, device, name in kept)
    record = Record(command, changes(lattice, present, lattice, done=False), lattice.id)
    done = changes(lattice, present, lattice, done=True)
    return Step(record, Settled(command.sequence, Outcome.APPLIED, lattice.id, wall_ns, done), lattice)


def refuse(command: Command, lattice: Lattice, reason: str, wall_ns: int) -> Step:
    """Plan a command that is refused: nothing changes, and the journal has the reason."""
    record = Record(command, tuple(_refused(lattice, setting) for setting in command.settings), lattice.id)
    return Step(record, _settled(command, Outcome.REJECTED, lattice, wall_ns, reason), lattice)


def changes(before: Lattice, settings: tuple[Setting, ...], after: Lattice, *, done: bool) -> tuple[Change, ...]:
    """List the changes between two lattices as the journal keeps them.

    With `done`, the values after are those in force. Strengths are kept for the settings that differ alone, so that a
    command takes as much of the journal as it changes.
    """
    result = []
    for setting in settings:
        key = (setting.device, setting.property)
        spec = before.ring.property_spec(*key)
        stored = (setting.device, spec.setting)
        moved = before[stored] != after[stored]
        result.append(
            Change(
                pv=setting.pv,
                device=setting.device,
                property=setting.property,
                unit=spec.unit,
                old=before[key],
                new=setting.value,
                done=after[key] if done else None,
                setting=spec.setting,
                setting_old=before[stored],
                setting_done=after[stored] if done else None,
                physics_old=_physics(before, spec.slot, after) if moved else {},
                physics_new=_physics(after, spec.slot, before) if moved else {},
            )
        )
    return tuple(result)


def _values(settings: tuple[Setting, ...]) -> dict[tuple[str, str], float]:
    values: dict[tuple[str, str], float] = {}
    for setting in settings:
        key = (setting.device, setting.property)
        if values.setdefault(key, setting.value) != setting.value:
            raise RefusedValue(f"{setting.device} {setting.property} is set to two different values in one command")
    return values


def _physics(lattice: Lattice, slot: int | None, other: Lattice) -> dict[str, float]:
    """Find the strengths that a setting drives in either lattice, in physics units: `Q1M1D1R.k1` -> 1/m^2."""
    ring: Ring = lattice.ring
    if slot == ring.property_spec(*ENERGY).slot:  # it drives every magnet; the one number says it all
        return {"ring.energy": lattice.energy_ev}
    if slot is not None and (driven := lattice.driven(slot, other)):
        magnets = [ring.magnets[n] for n in driven]
        return {magnet.drives: lattice.strength(magnet) for magnet in magnets}
    if slot == ring.property_spec("rf", "frequency").slot:
        return {"rf.frequency": lattice.rf_frequency}
    return {"rf.voltage": lattice.voltage_v} if slot == ring.property_spec(*VOLTAGE).slot else {}


def _refused(lattice: Lattice, setting: Setting) -> Change:
    spec = lattice.ring.properties.get((setting.device, setting.property))
    old = lattice[setting.device, setting.property] if spec else float("nan")
    return Change(
        pv=setting.pv,
        device=setting.device,
        property=setting.property,
        unit=spec.unit if spec else "",
        old=old,
        new=setting.value,
        done=None,
        setting=spec.setting if spec else "",
        setting_old=float("nan"),
        setting_done=None,
    )


def _settled(command: Command, outcome: Outcome, lattice: Lattice, wall_ns: int, reason: str) -> Settled:
    return Settled(command.sequence, outcome, lattice.id, wall_ns, reason=reason)
