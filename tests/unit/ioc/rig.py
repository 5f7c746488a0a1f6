"""A twin without servers: the bank, the dispatcher and the journal around a model that the test controls."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from patience import PATIENCE_S

from gnomon.db import StorePlace, sources
from gnomon.db.machines import pv_document
from gnomon.db.naming import Naming
from gnomon.db.pvs import PvSpec
from gnomon.db.templates import Placed, PvTemplate, expand, read_pvs
from gnomon.fault_injection import Fault, Injector
from gnomon.ioc.app.active_faults import ActiveFaults, PvValues
from gnomon.ioc.app.failing_parts import FailingParts
from gnomon.ioc.app.injected_connections import InjectedConnections
from gnomon.ioc.app.injected_readings import InjectedReadings
from gnomon.ioc.app.status_pvs import Figures, Status, figures
from gnomon.ioc.base.protocols import PutReply
from gnomon.ioc.commands.activity import Activity
from gnomon.ioc.commands.controls import Controls
from gnomon.ioc.commands.device_behaviours import MultiplexerSwitching
from gnomon.ioc.commands.dispatcher import Dispatcher
from gnomon.ioc.commands.reference_controls import ReferenceControls
from gnomon.ioc.commands.reference_store import ReferenceStore
from gnomon.ioc.outputs.bank import Bank, Reading
from gnomon.ioc.outputs.model_state import ModelState
from gnomon.ioc.outputs.outputs import Outputs
from gnomon.ioc.shadow.shadow import TwinServices
from gnomon.lattice import Client, Lattice, Ring, parse_machine
from gnomon.propagator import BeamState, PropagatorService
from gnomon.recorder import Journal
from unit.lattice import small_ring

RING = Ring(parse_machine(small_ring.text(), "ring.json"))
CLIENT = Client("op", "console", "ca")


def specs() -> tuple[PvSpec, ...]:
    """The PVs of the small ring, and what a facility may have besides the shipped ones."""
    more = [
        Placed(
            PvTemplate(pv=f"{{name}}:d{p}", source=f"monitor.difference.{p}", description="", each="bpm", scale=1e3),
            "",
            Naming(),
        )
        for p in ("x", "y")
    ]
    shipped = (*read_pvs("bessy2", pv_document), *read_pvs("bounds", pv_document))
    return expand((*shipped, *more), RING, "T:")


def beam(lattice: Lattice, **changes: Any) -> BeamState:
    """A made-up beam: at every element, x in mm is the corrector's current."""
    n = len(lattice.ring.elements) + 1
    x = lattice["CP", "current"] * 1e-3
    fields: dict[str, Any] = {
        "lattice_id": lattice.id,
        "found": True,
        "reason": "",
        "delta": 0.0,
        "orbit": np.tile([x, 0.0, -x, 0.0], (n, 1)),
        "one_turn": np.eye(4),
        "tune": np.array([3.25, 2.4]),
        "beta": np.ones((n, 2)),
        "alpha": np.zeros((n, 2)),
        "phase": np.zeros((n, 2)),
        "dispersion": np.zeros((n, 4)),
        "chromaticity": np.zeros(2),
        "momentum_compaction": 1e-3,
    }
    return BeamState(**fields | changes)


class Rig:
    """Puts and readings by PV name."""

    def __init__(
        self,
        bank: Bank,
        services: TwinServices,
        controls: Controls,
        journal: Journal,
        injector: Injector,
        status: Status,
        readings: InjectedReadings,
        retry: Callable[[], None],
    ) -> None:
        self.services = services
        self.bank = bank
        self.dispatcher = services.dispatcher
        self.controls = controls
        self.journal = journal
        self.injector = injector
        self.status = status
        self.readings = readings
        self.connections = InjectedConnections(bank, "T:", injector, services.dispatcher)
        self.faults = ActiveFaults(injector, services.outputs, readings, retry, self.connections)
        self.published: list[tuple[str, ...]] = []
        self.bank.listen(lambda indices: self.published.append(tuple(self.bank.specs[i].name for i in indices)))

    def start_put(self, name: str, value: Any, client: Client = CLIENT) -> "asyncio.Future[PutReply]":
        return asyncio.wrap_future(self.dispatcher.put(self.bank.index[name], value, client))

    async def put(self, name: str, value: Any) -> PutReply:
        return await asyncio.wait_for(self.start_put(name, value), PATIENCE_S)

    def inject(self, kind: str, device: str | None = "CP", **keys: Any) -> int:
        target = {} if device is None else {"device": device}
        return self.injector.add(Fault.from_request({"kind": kind} | target | keys))

    def get(self, name: str) -> Reading:
        return self.bank.reading(self.bank.index[name])


@asynccontextmanager
async def running(
    folder: Path,
    compute: Callable[[Lattice], BeamState] = beam,
    journal: Journal | None = None,
    timeout_s: float = PATIENCE_S,
) -> AsyncIterator[Rig]:
    """A rig with its first result published."""
    bank = Bank(specs(), time.time_ns())
    injector = Injector(value_of=PvValues(bank, "T:"))
    parts = FailingParts(injector)
    kept = journal or Journal(folder / "journal", parts.open_journal)
    kept.begin_run(machine="small", digest=RING.digest, prefix="T:", lattice_id=RING.nominal.id, baseline={})
    state = ModelState(len(RING.bpms))
    readings = InjectedReadings(bank, RING, "T:", injector)
    bank.disturb(readings)
    outputs = Outputs(bank, RING, state, time.time_ns, readings)
    outputs.start(RING.nominal)
    service = PropagatorService(parts.model(compute), timeout_s=timeout_s, on_answer=outputs.publish)
    controls = Controls(bank)
    behaviours = [MultiplexerSwitching(RING, outputs.multiplexer)]
    dispatcher = Dispatcher(bank, RING.nominal, kept, injector, service, outputs, controls, behaviours)
    try:
        await service.submit(RING.nominal, 0)
        activity = Activity(controls, service, outputs)
        place = StorePlace(folder / "documents", parts.open_documents)
        store = ReferenceStore(place, "small", "T:", [bpm.name for bpm in RING.bpms])
        await ReferenceControls(controls, state, outputs, store).begin()
        clients: Figures = {
            sources.CA_CLIENTS: lambda: 2,
            sources.PVA_CLIENTS: lambda: 1,
            sources.PVA_CHANNELS: lambda: 3,
        }
        status = Status(outputs, figures(state, dispatcher, service, kept, clients))
        services = TwinServices(bank.specs, state, outputs, dispatcher, activity)
        yield Rig(bank, services, controls, kept, injector, status, readings, partial(parts.retry, service))
    finally:
        await controls.stop()
        readings.stop()
        await dispatcher.stop()
        parts.stop()
        service.close()
        kept.close()
