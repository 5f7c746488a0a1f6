"""The hardware of one server: it stands between the dispatcher, the model and the outputs.

That of an imperfect machine has supplies, instruments, losses and an interlock of its own. That of a twin is ideal and
hands everything on. Faults of supplies and of the beam act on both.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from gnomon.db import sources
from gnomon.fault_injection import Injector
from gnomon.fault_injection.errors import MachineErrors
from gnomon.ioc.app.fault_notes import FaultNotes, Note
from gnomon.ioc.app.imperfect import assembly
from gnomon.ioc.app.imperfect.interlock import Interlock
from gnomon.ioc.app.imperfect.moving_supplies import MovingSupplies
from gnomon.ioc.app.injected_beam import DUMPED, NONE, BeamEffects, InjectedBeam, without_beam
from gnomon.ioc.app.injected_supplies import InjectedSupplies
from gnomon.ioc.base.config import ImperfectionsConfig
from gnomon.ioc.commands.controls import Controls, RefusedControl
from gnomon.ioc.commands.model import Model
from gnomon.ioc.outputs.model_state import ModelState
from gnomon.ioc.outputs.outputs import Outputs
from gnomon.lattice import Change, Client, Lattice
from gnomon.propagator import Answer

#: Time between two looks at what moves [s].
PERIOD_S = 0.1
#: Time between two looks at what becomes of the stored beam where nothing else looks [s].
BEAM_PERIOD_S = 1.0


@dataclass(frozen=True)
class Imperfect:
    """Sizes of the dynamics of an imperfect machine, and its hidden errors."""

    config: ImperfectionsConfig
    errors: MachineErrors


class Hardware:
    """Supplies, instruments, losses and interlock of one server; `state` and `outputs` get their share of it.

    It is a model to the dispatcher, and asks `model` itself, whose answers it takes. Without `imperfect` it is ideal.
    """

    def __init__(
        self,
        lattice: Lattice,
        state: ModelState,
        outputs: Outputs,
        injector: Injector,
        imperfect: Imperfect | None = None,
        clock_s: Callable[[], float] = time.time,
    ) -> None:
        ring = lattice.ring
        self._state, self._outputs, self._injector = state, outputs, injector
        self.interlock: Interlock | None = None
        dynamics, drifts = None, assembly.NO_DRIFTS
        if imperfect is not None:
            config, errors = imperfect.config, imperfect.errors
            dynamics = assembly.supply_dynamics(ring, config.supplies, config.seed, config.scale)
            drifts = assembly.drifts(config.drifts, config.scale)
            self.interlock = assembly.interlock(ring, config.stored_beam, self._current_ma)
            outputs.stored_beam.assume_current(config.stored_beam.current_ma)
            outputs.stored_beam.losses = assembly.losses(ring, config.stored_beam)
            state.instruments = assembly.instruments(ring, config, errors, current_ma=self._current_ma, clock_s=clock_s)
        self.supplies = MovingSupplies(ring, dynamics, drifts, lattice, publish=self._publish, clock_s=clock_s)
        self._notes = FaultNotes()
        slots = self.supplies.slots
        self._of_supplies = InjectedSupplies(slots.names, slots.low, slots.high, injector, self._notes)
        self._of_beam = InjectedBeam(ring, injector, self._notes)
        self._version = -1
        self._faulty = self._reset = False
        self._beam: BeamEffects = NONE

    def use(self, model: Model) -> None:
        """Ask this model from now on; its answers go to `take`."""
        self.supplies.use(model)

    def register(self, controls: Controls) -> None:
        """Take puts to the control that injects a beam."""
        controls.register(sources.INJECT, self._inject)

    def begin(self, note: Note) -> None:
        """Note in the journal from now on what faults do."""
        self._notes.begin(note)

    def submit(self, lattice: Lattice, sequence: int) -> "asyncio.Future[Answer]":
        """See `PropagatorService.submit`."""
        if self._injector.version != self._version or self._reset:  # else it is looked at often enough
            self._look()
        return self.supplies.submit(lattice, sequence)

    def take(self, answer: Answer) -> None:
        """Take an answer of the model."""
        self.supplies.take(answer)

    @property
    def listens(self) -> bool:
        """See `CommandListener`."""
        return self._of_supplies.listens

    def acted(self, changes: tuple[Change, ...]) -> None:
        """See `CommandListener`."""
        self._of_supplies.acted(changes)
        self._reset = True

    async def run(self) -> None:
        """Let time pass, until cancelled."""
        while True:
            await asyncio.sleep(PERIOD_S)
            self.tick()

    def tick(self) -> None:
        """Look at what has moved since the last time, and at the faults."""
        ask_again = self._look()
        if self._state.readings is not None:
            self._outputs.stored_beam.keep_up(self._state.readings, BEAM_PERIOD_S)
        if self.interlock is not None:
            ask_again = self.interlock.is_all_lost() or ask_again
        if ask_again:
            self.supplies.ask_again()
        else:
            self.supplies.tick()

    def _look(self) -> bool:
        """Let the faults act as they do now; returns whether the beam must be asked for again."""
        if self._injector.version != self._version:
            self._version = self._injector.version
            self._faulty = self._faulty or self._has_faults()
        self._reset = False
        if not self._faulty:
            return False
        effects, before = self._of_supplies.effects(), self._beam
        self._beam = self._of_beam.effects(self.supplies.asked)
        # What acts now is taken back by another look, also if its fault has been cleared in another thread meanwhile.
        acts = effects is not None or self._beam is not NONE
        self._faulty = acts or self._has_faults()
        self.supplies.disturb(effects, self._beam.kicks)
        stored_beam = self._outputs.stored_beam
        stored_beam.set_lifetime_factor(self._beam.lifetime)
        for fault, fraction in self._beam.lost:
            current_ma = stored_beam.current_ma
            stored_beam.lose_part(fraction)
            self._of_beam.note_loss(fault, current_ma, stored_beam.current_ma)
        if self._beam.lost:
            self._outputs.repeat()
        return self._beam.gone != before.gone

    def _has_faults(self) -> bool:
        return bool(self._injector.of_group("supplies") or self._injector.of_group("beam"))

    async def _inject(self, value: float, client: Client) -> None:
        """End when the beam is there. Raises RefusedControl when none is missing, or none can be stored."""
        if not value:
            return
        if self.interlock is not None and self.interlock.reason:
            self.interlock.inject()
            answer = await self.supplies.ask_again()
            self._outputs.show(sources.INJECT, 0)
            if self.interlock.reason:
                raise RefusedControl(f"no beam could be stored: {self.interlock.reason}")
            if answer.beam is None:
                raise RefusedControl(f"no beam could be stored: {answer.failure}")
            return
        if self._state.readings is None:
            why = self._beam.gone or "there is none with these settings, see dt:reason"
            raise RefusedControl(f"no beam could be stored: {why}")
        if not self._outputs.stored_beam.stored:
            raise RefusedControl("no beam could be stored: the RF voltage gives no stable phase")
        if not self._outputs.stored_beam.fill():
            raise RefusedControl("a beam is stored already; nothing was injected")
        self._outputs.repeat()
        self._outputs.show(sources.INJECT, 0)

    def _publish(self, answer: Answer) -> None:
        if gone := self._beam.gone:
            answer = without_beam(answer, gone)
        if self.interlock is not None:
            answer = self.interlock.passed(answer, gone if gone == DUMPED else "")
        self._outputs.publish(answer)

    def _current_ma(self) -> float:
        return self._outputs.stored_beam.current_ma
