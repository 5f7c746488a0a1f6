"""A machine at which procedures are carried out: its session and devices, its readings, and the way to act on it."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from gnomon.clients.server_choice import Target
from gnomon.db import sources
from gnomon.ioc.base.config import read_config
from gnomon.lattice import Key, Lattice
from gnomon.lattice.units import conversion_factor
from gnomon.procedures.documents import Run
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.machine_session import MachineSession
from gnomon.procedures.one_at_a_time import only_one
from gnomon.procedures.optics_fit import OpticsFitOutcome
from gnomon.procedures.results import Results

if TYPE_CHECKING:
    from gnomon.clients.bluesky_devices import RingDevices
    from gnomon.recorder.apply import Applied
    from gnomon.recorder.replaying import CorrectionGate

__all__ = ["Bench", "pvs_document_of"]

Report = Callable[[str, Any, str], None]

#: Time-out of one call to a machine [s]: a correction connects to all supplies at once, beside all that a session does.
MACHINE_TIMEOUT_S = 20.0


@dataclass
class Bench:
    """A machine, the folder of results, and the protocol of the devices.

    `report` is told each write to a machine, which a twin does not have: event, step, remark. A machine is written
    through the `gate` alone; without one nothing is, and `no_gate` has the reason and `to_act` the remedy, unless
    `without_bounds` says that static checks are enough.
    """

    session: MachineSession
    results: Results
    protocol: Literal["pva", "ca"] = "pva"
    report: Report = lambda event, step, remark: None
    gate: "CorrectionGate | None" = None
    no_gate: str = "there is neither a limits file (gate.limits in the configuration) nor a calibration"
    to_act: str = (
        "Without a confidence bound, only limits, step sizes and readbacks are checked; to act so nevertheless, say "
        "--without-bounds (in Python without_bounds=True)"
    )
    without_bounds: bool = False
    #: Identifiers of the stored results that the present procedure has used.
    used: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.session.load_fit = self._load_fit

    def _load_fit(self, name: str) -> tuple[str, OpticsFitOutcome]:
        """Load a stored fit of the optics, and note that it is used."""
        run, outcome = self.outcome_of(name, "optics-fit")
        return run.name, OpticsFitOutcome.model_validate(outcome)

    def with_sources(self, run: Run) -> Run:
        """Add to a run's provenance the stored results that it was made from."""
        told = run.provenance.model_copy(update={"sources": tuple(dict.fromkeys(self.used))})
        return run.model_copy(update={"provenance": told})

    def only_one(self, what: str) -> AbstractContextManager[None]:
        """Hold the lock of the machine's prefix for a procedure. Raises BusyError that names who has it."""
        return only_one(self.session.client.target, what)

    def devices(self) -> "RingDevices":
        """Make the devices of the ring. Raises ClientError without Bluesky."""
        from gnomon.clients import devices

        session = self.session
        self._set_addresses()
        return devices(session.machine, prefix=session.prefix, protocol=self.protocol, pvs=session.pvs_document)

    def read(
        self, what: Literal["orbit", "tunes"], readings: int, interrupted: Callable[[], None] | None = None
    ) -> NDArray[np.float64]:
        """Read orbit (2, monitors) [mm] or tunes (2,), averaged over readings."""
        ring = self.devices()  # says so if Bluesky is missing
        from gnomon.procedures.plans import Recording, orbit_plan, run_plan, tunes_plan

        recording = Recording()
        run_plan((orbit_plan if what == "orbit" else tunes_plan)(ring, recording, readings), notice=interrupted)
        return np.array([recording.column(plane).mean(axis=0) for plane in "xy"])

    def reference_mm(self) -> NDArray[np.float64]:
        """Read the server's reference orbit (2, monitors) [mm]; 0 where there is none."""
        specs = [self.session.pvs.first(source) for source in sources.REFERENCE]
        names = [spec.name for spec in specs if spec is not None]
        if not self.session.role or len(names) < len(specs):
            return np.zeros((2, 1))
        readings = self.session.client.get(*names)
        return np.array([conversion_factor(each.unit, "mm") * np.asarray(each.value, dtype=float) for each in readings])

    def outcome_of(self, name: str, procedure: str) -> tuple[Run, Mapping[str, Any]]:
        """Load a stored result of a procedure, and its outcome. Raises ProcedureError."""
        run = self.results.load(name)
        if run.procedure != procedure or run.outcome is None:
            raise ProcedureError(f"{run.name} is not a finished result of {procedure}")
        self.used.append(str(run.identifier))
        return run, run.outcome

    def check_may_act(self) -> None:
        """Raise ProcedureError, with the remedy, if nothing may be set here: on a machine without a gate."""
        if self.session.role != "twin" and self.gate is None and not self.without_bounds:
            raise ProcedureError(f"nothing was set on {self.session.machine}: {self.no_gate}. {self.to_act}")

    def act(
        self, present: Lattice, settings: Mapping[Key, float], note: str, model: Lattice | None = None
    ) -> "Applied":
        """Make settings: on a twin as one command, on a machine one by one with a replay's checks.

        `model` has the settings about which the model's beam is asked for (None: the present ones), as of a proposal.
        """
        from gnomon.recorder.apply import SetStep, TwinTarget, apply
        from gnomon.recorder.remote import PvaRemote

        steps = [SetStep(key, value) for key, value in settings.items()]
        if self.session.role == "twin":
            remote = PvaRemote(environment=self.session.client.target.environment)
            return apply(steps, TwinTarget(remote, self.session.prefix, present), note)
        self.check_may_act()
        with self._machine(present, present if model is None else model) as target:
            return apply(steps, target, note)

    def _set_addresses(self) -> None:
        """Let libraries reach this target alone: that of Channel Access reads its addresses once, when it starts."""
        os.environ.update(self.session.client.target.environment)

    @contextmanager
    def _machine(self, present: Lattice, model: Lattice) -> Iterator[Any]:
        from gnomon.propagator import Propagator
        from gnomon.recorder.apply import MachineTarget, at_model
        from gnomon.recorder.epics_machine import EpicsMachine
        from gnomon.recorder.replay_execution import AuditFile, ReplayOptions

        session = self.session
        self._set_addresses()
        self.results.folder.mkdir(parents=True, exist_ok=True)
        audit = AuditFile(self.results.folder / "applied.jsonl")
        try:
            beam_at = at_model(Propagator(present.ring), present, model)
            machine, specs, made = EpicsMachine(), session.pvs.specs, None
            options = ReplayOptions(timeout_s=MACHINE_TIMEOUT_S)
            if self.gate is not None and not self.without_bounds:
                chosen = self.gate
                made = lambda plan: chosen(plan, machine, present, specs, options.timeout_s)  # noqa: E731
            yield MachineTarget(
                machine, session.prefix, present, specs, beam_at, audit, self.report, options, gate=made
            )
        finally:
            audit.close()


def pvs_document_of(target: Target, config: Path | None = None) -> str | None:
    """Find the PV document that a configuration names: the one given, or the running server's. None: the machine's."""
    if config is None and target.server is not None and target.server.config:
        config = Path(target.server.config)
    return (read_config(config).pvs or None) if config is not None else None
