"""Commands at the gate for the steps of a plan, and for parts of them. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate

from gnomon.db.pvs import PvSpec
from gnomon.lattice import Key, Lattice
from gnomon.recorder.gating import GateCommand
from gnomon.recorder.replay_steps import Plan, Setpoints, moved_pvs

__all__ = ["PlanCommands"]


class PlanCommands:
    """Makes the command for a part of a plan's step; `start` is the lattice that the plan begins with."""

    def __init__(
        self, plan: Plan, start: Lattice, specs: Sequence[PvSpec], family_of: Callable[[Lattice, Key], str]
    ) -> None:
        self.plan = plan
        self._setpoints = Setpoints(specs)
        self._family_of = family_of
        shown = {spec.name: spec for spec in self._setpoints.by_name.values()}
        shown = {self._setpoints.readback(spec): spec for spec in self._setpoints.by_name.values()} | shown
        self._shown = {start.pv: shown[start.pv] for start in plan.starts if start.pv in shown}
        numbers = range(len(plan.steps))
        self._before = tuple(
            accumulate(numbers, lambda lattice, n: self._after(lattice, n, plan.steps[n].target), initial=start)
        )

    def is_whole(self, number: int) -> bool:
        """True if a step cannot be made in parts: one of a PV with states or presets."""
        spec = self._spec(number)
        return bool(spec.presets or spec.states)

    def lattice(self, number: int, at: float) -> Lattice:
        """Make the lattice when the PV of a step has the value `at` on the way to its target."""
        step = self.plan.steps[number]
        return self._before[number] if at == step.start else self._after(self._before[number], number, at)

    def command(self, number: int, at: float, to: float) -> GateCommand:
        """Make the command that brings the PV of a step from `at` to `to`, which lie on its way."""
        spec, step = self._spec(number), self.plan.steps[number]
        before, after = self.lattice(number, at), self.lattice(number, to)
        if spec.presets:
            changes = {(d, s): (before[d, s], value) for d, s, value in spec.presets[round(to)]}
        else:
            changes = {(spec.device, spec.property): (at / spec.scale, to / spec.scale)}
        moves = moved_pvs(self._shown, before, after)
        return GateCommand(
            step=replace(step, start=at, target=to, asked=step.asked if to == step.target else to),
            changes=changes,
            family=self._family_of(after, next(iter(changes))),
            number=number,
            scale=spec.scale,
            moves={pv: value for pv, value in moves.items() if pv not in (step.pv, step.readback)},
            presets=bool(spec.presets),
        )

    def settings(self, number: int, at: float) -> Mapping[Key, float]:
        """List all settings when the PV of a step has the value `at`, in units of the machine document.

        Strengths are left out, but for that which the step sets: set together with the current behind it, a strength
        would keep its value.
        """
        lattice, spec = self.lattice(number, at), self._spec(number)
        ring = lattice.ring
        keys = [k for k, each in ring.properties.items() if each.slot is not None and ring.strength_of(*k) is None]
        if (spec.device, spec.property) in ring.properties:
            keys.append((spec.device, spec.property))
        return {key: lattice[key] for key in keys}

    def _spec(self, number: int) -> PvSpec:
        return self._setpoints.by_name[self.plan.steps[number].pv]

    def _after(self, lattice: Lattice, number: int, value: float) -> Lattice:
        spec = self._spec(number)
        if spec.presets:
            return lattice.updated({(d, s): v for d, s, v in spec.presets[round(value)]})
        return lattice.updated({(spec.device, spec.property): value / spec.scale})
