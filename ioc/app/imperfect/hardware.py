"""The hardware of an imperfect machine in one server: it stands between the dispatcher, the model and the outputs."""

import asyncio
import time
from collections.abc import Callable

from gnomon.db import sources
from gnomon.fault_injection.errors import MachineErrors
from gnomon.ioc.app.imperfect import assembly
from gnomon.ioc.app.imperfect.interlock import Interlock
from gnomon.ioc.app.imperfect.moving_supplies import MovingSupplies
from gnomon.ioc.base.config import ImperfectionsConfig
from gnomon.ioc.commands.controls import Controls, RefusedControl
from gnomon.ioc.commands.model import Model
from gnomon.ioc.outputs.model_state import ModelState
from gnomon.ioc.outputs.outputs import Outputs
from gnomon.lattice import Client, Lattice
from gnomon.propagator import Answer

#: Time between two looks at what moves [s].
PERIOD_S = 0.1


class Hardware:
    """Supplies, instruments, losses and interlock of one machine; `state` and `outputs` get their share of it.

    It is a model to the dispatcher, and asks `model` itself, whose answers it takes.
    """

    def __init__(
        self,
        lattice: Lattice,
        config: ImperfectionsConfig,
        errors: MachineErrors,
        state: ModelState,
        outputs: Outputs,
        clock_s: Callable[[], float] = time.time,
    ) -> None:
        ring = lattice.ring
        self._outputs = outputs
        self.supplies = MovingSupplies(
            ring,
            assembly.supply_dynamics(ring, config.supplies, config.seed, config.scale),
            assembly.drifts(config.drifts, config.scale),
            lattice,
            publish=self._publish,
            clock_s=clock_s,
        )
        self.interlock: Interlock = assembly.interlock(ring, config.stored_beam, self._current_ma)
        outputs.stored_beam.losses = assembly.losses(ring, config.stored_beam)
        state.instruments = assembly.instruments(ring, config, errors, current_ma=self._current_ma, clock_s=clock_s)

    def use(self, model: Model) -> None:
        """Ask this model from now on; its answers go to `take`."""
        self.supplies.use(model)

    def register(self, controls: Controls) -> None:
        """Take puts to the control that injects a beam."""
        controls.register(sources.INJECT, self._inject)

    def submit(self, lattice: Lattice, sequence: int) -> "asyncio.Future[Answer]":
        """See `PropagatorService.submit`."""
        return self.supplies.submit(lattice, sequence)

    def take(self, answer: Answer) -> None:
        """Take an answer of the model."""
        self.supplies.take(answer)

    async def run(self) -> None:
        """Let time pass, until cancelled."""
        while True:
            await asyncio.sleep(PERIOD_S)
            self.tick()

    def tick(self) -> None:
        """Look at what has moved since the last time."""
        if self.interlock.is_all_lost():
            self.supplies.ask_again()
        else:
            self.supplies.tick()

    async def _inject(self, value: float, client: Client) -> None:
        """End when the beam is there. Raises RefusedControl when none is missing, or none can be stored."""
        if not value:
            return
        if not self.interlock.reason:
            raise RefusedControl("a beam is stored already; nothing was injected")
        self.interlock.inject()
        answer = await self.supplies.ask_again()
        self._outputs.show(sources.INJECT, 0)
        if self.interlock.reason:
            raise RefusedControl(f"no beam could be stored: {self.interlock.reason}")
        if answer.beam is None:
            raise RefusedControl(f"no beam could be stored: {answer.failure}")

    def _publish(self, answer: Answer) -> None:
        self._outputs.publish(self.interlock.passed(answer))

    def _current_ma(self) -> float:
        return self._outputs.stored_beam.current_ma
