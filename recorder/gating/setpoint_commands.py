"""Commands at the gate for programs that set PVs by name and value. Pure."""

from collections.abc import Callable, Sequence

from gnomon.db.pvs import PvSpec
from gnomon.lattice import Key
from gnomon.recorder.gating.verdict import GateCommand, MachineState
from gnomon.recorder.recorder_errors import ReplayError
from gnomon.recorder.replay_steps import Setpoints, Step

__all__ = ["SetpointCommands"]


class SetpointCommands:
    """Makes commands for the setpoints of a machine, whose PVs are `specs`, with prefix.

    `kind_of` names the kind of a command, as the calibration counts it (`gnomon.recorder.bounds.kind_of`).
    """

    def __init__(self, specs: Sequence[PvSpec], kind_of: Callable[[Sequence[Key]], str]) -> None:
        self._setpoints = Setpoints(specs)
        self._kind_of = kind_of

    def command(self, pv: str, value: float, state: MachineState) -> GateCommand:
        """Make the command that sets a PV from its present value. Raises ReplayError for a PV that is no setpoint."""
        spec = self._setpoints.by_name.get(pv)
        if spec is None or spec.drive is None:
            raise ReplayError(f"{pv}: this machine has no such setpoint; nothing was written")
        key = (spec.device, spec.property)
        now = state.settings.get(key, float("nan"))
        low, high = spec.drive
        step = Step(
            sequence=0,
            wall_ns=state.now_ns,
            pv=pv,
            readback=self._setpoints.readback(spec),
            unit=spec.unit,
            start=now * spec.scale,
            target=value,
            asked=value,
            low=low,
            high=high,
        )
        return GateCommand(
            step=step,
            changes={key: (now, value / spec.scale)},
            family=self._kind_of([key]),
            scale=spec.scale,
            presets=bool(spec.presets),
        )
