"""One running twin, between its journal and the bank that the servers show; a server process may hold several."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gnomon.db.pvs import PvSpec
from gnomon.fault_injection import Injector
from gnomon.ioc.app import initial_state
from gnomon.ioc.app.active_faults import ActiveFaults, PvValues
from gnomon.ioc.app.document_watch import DocumentState
from gnomon.ioc.app.failing_parts import FailingParts
from gnomon.ioc.app.imperfect.hardware import Hardware, Imperfect
from gnomon.ioc.app.imperfect.imperfect_machine import ImperfectMachine
from gnomon.ioc.app.initial_state import InitialState
from gnomon.ioc.app.injected_connections import InjectedConnections
from gnomon.ioc.app.injected_readings import InjectedReadings
from gnomon.ioc.app.rotating import rotate
from gnomon.ioc.app.status_pvs import Figures, Status, figures
from gnomon.ioc.base.background_tasks import background_task, cancelled
from gnomon.ioc.base.config import Config
from gnomon.ioc.base.forward_status import summarise_forward
from gnomon.ioc.base.machines import LoadedMachine
from gnomon.ioc.commands.activity import Activity
from gnomon.ioc.commands.controls import Controls
from gnomon.ioc.commands.device_behaviours import MultiplexerSwitching
from gnomon.ioc.commands.dispatcher import Dispatcher
from gnomon.ioc.commands.reference_controls import ReferenceControls
from gnomon.ioc.commands.reference_store import ReferenceStore
from gnomon.ioc.outputs.bank import Bank
from gnomon.ioc.outputs.model_state import ModelState
from gnomon.ioc.outputs.outputs import Outputs
from gnomon.ioc.shadow.shadow import TwinServices
from gnomon.ioc.shadow.shadow_assembly import find_calibration, make_mode
from gnomon.propagator import Compute, PropagatorService
from gnomon.recorder import Journal


@dataclass(frozen=True)
class Twin:
    """A lattice with its queue of commands, its journal, its faults, its model and its PVs."""

    config: Config
    machine: LoadedMachine
    initial_state: InitialState
    bank: Bank
    state: ModelState
    outputs: Outputs
    injector: Injector
    faults: ActiveFaults
    parts: FailingParts
    connections: InjectedConnections
    journal: Journal
    service: PropagatorService
    dispatcher: Dispatcher
    controls: Controls

    @property
    def prefix(self) -> str:
        """Prefix of all its PV names."""
        return self.config.prefix


@dataclass(frozen=True)
class TwinRecipe:
    """Parts that a twin is made of. `initial_state` is called with the journal's path; `make` is for another
    propagator of it. `imperfect` is the machine that it stands for, if it is one with errors."""

    config: Config
    machine: LoadedMachine
    specs: Sequence[PvSpec]
    propagator: Compute
    make: Callable[[], Compute]
    initial_state: Callable[[Path], InitialState]
    imperfect: ImperfectMachine | None = None


async def make_twin(recipe: TwinRecipe, stack: AsyncExitStack, bank: Bank | None = None) -> Twin:
    """Make a twin with its first result published; `stack` ends it, in reverse order. Raises JournalError.

    It shows its PVs in `bank`, which an earlier twin of the same PVs had, or in a new one.
    """
    config, ring = recipe.config, recipe.machine.ring
    if bank is None:
        bank = await asyncio.to_thread(Bank, recipe.specs, time.time_ns())
    injector = Injector(config.faults.seed, value_of=PvValues(bank, config.prefix))
    parts = FailingParts(injector)
    journal, initial = await asyncio.to_thread(_open_journal, recipe, parts)
    stack.callback(journal.close)
    state = ModelState(len(ring.bpms))
    readings = InjectedReadings(bank, ring, config.prefix, injector)
    stack.callback(readings.stop)
    bank.disturb(readings)
    outputs = await asyncio.to_thread(Outputs, bank, ring, state, time.time_ns, readings)
    await asyncio.to_thread(outputs.stored_beam.prepare)  # here nobody waits for a compiler yet
    outputs.start(initial.lattice)
    errors = None if recipe.imperfect is None else Imperfect(config.imperfections, recipe.imperfect.errors)
    hardware = Hardware(initial.lattice, state, outputs, injector, errors)
    service = PropagatorService(
        parts.model(recipe.propagator),
        timeout_s=config.model.timeout_s,
        max_wait_s=config.model.max_wait_s,
        on_answer=hardware.take,
        renew=lambda: parts.model(recipe.make()),
    )
    stack.callback(service.close)
    stack.callback(parts.stop)
    controls = Controls(bank)
    behaviours = [MultiplexerSwitching(ring, outputs.multiplexer)]
    hardware.use(service)
    hardware.register(controls)
    dispatcher = Dispatcher(
        bank, initial.lattice, journal, injector, hardware, outputs, controls, behaviours, listener=hardware
    )
    stack.push_async_callback(dispatcher.stop)
    hardware.begin(dispatcher.note)
    await hardware.submit(initial.lattice, journal.next_sequence - 1)
    stack.push_async_callback(cancelled, background_task(hardware.run(), "hardware"))
    activity = Activity(controls, service, outputs)
    monitors = [bpm.name for bpm in ring.bpms]
    store = ReferenceStore(parts.store_of(config), ring.name, config.prefix, monitors)
    await ReferenceControls(controls, state, outputs, store).begin()
    await asyncio.to_thread(find_calibration, config, ring)  # one that cannot be had is told at the start
    mode = make_mode(config, ring, TwinServices(bank.specs, state, outputs, dispatcher, activity), controls)
    stack.callback(mode.close)
    stack.push_async_callback(controls.stop)  # before it, or a late put could begin to follow again
    mode.begin()
    connections = InjectedConnections(bank, config.prefix, injector, dispatcher)
    stack.callback(connections.stop)
    faults = ActiveFaults(injector, outputs, readings, partial(parts.retry, service), connections)
    return Twin(
        config,
        recipe.machine,
        initial,
        bank,
        state,
        outputs,
        injector,
        faults,
        parts,
        connections,
        journal,
        service,
        dispatcher,
        controls,
    )


def _open_journal(recipe: TwinRecipe, parts: FailingParts) -> tuple[Journal, InitialState]:
    path = recipe.config.journal()
    path.parent.mkdir(parents=True, exist_ok=True)
    journal = Journal(path, parts.open_journal)
    try:
        initial = recipe.initial_state(path)
        initial_state.record_start(journal, recipe.machine.ring, recipe.config.prefix, initial)
    except BaseException:
        journal.close()
        raise
    return journal, initial


def keep_alive(
    twin: Twin, clients: Figures, stack: AsyncExitStack, document: Callable[[], DocumentState] = DocumentState
) -> None:
    """Publish what changes with time alone, readings and figures, `clients` among them, and archive the journal.

    `document` tells what is known of the machine document in the store.
    """
    known = figures(twin.state, twin.dispatcher, twin.service, twin.journal, clients)
    forwards = twin.config.forward.is_used
    status = Status(twin.outputs, known, lambda: summarise_forward(twin.journal.path, forwards), document)
    status.begin()
    stack.push_async_callback(cancelled, background_task(status.run(), "status"))
    stack.push_async_callback(cancelled, background_task(twin.faults.run(), "faults"))
    stack.push_async_callback(cancelled, background_task(rotate(twin.journal, twin.config.recorder.rotate), "rotate"))
    rate_hz = twin.config.publish.repeat_hz
    if rate_hz > 0.0:
        each_monitor = twin.config.publish.each_monitor
        if each_monitor is None:  # monitors of a real machine read on and on, each of them
            each_monitor = twin.config.role == "machine"
        repeating = _repeat(twin.outputs, 1.0 / rate_hz, each_monitor=each_monitor)
        stack.push_async_callback(cancelled, background_task(repeating, "repeat"))


async def _repeat(outputs: Outputs, period_s: float, *, each_monitor: bool) -> None:
    while True:
        await asyncio.sleep(period_s)
        outputs.repeat(each_monitor=each_monitor)
