"""Hardware of an imperfect machine: an orbit outside the envelope ends the beam, an injection brings it back."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from gnomon.db import sources
from gnomon.ioc.app.imperfect.hardware import Hardware
from gnomon.ioc.app.imperfect.imperfect_machine import machine_errors
from gnomon.ioc.app.machines import find_machine
from gnomon.ioc.base.config import Config, ImperfectionsConfig
from gnomon.ioc.commands.controls import RefusedControl
from gnomon.ioc.outputs.model_state import ModelState
from gnomon.lattice import Client, Lattice
from gnomon.propagator import Answer, BeamState, Propagator

RING = find_machine(Config(machine="mls")).ring
CLIENT = Client("op", "console", "ca")


class FakeOutputs:
    def __init__(self) -> None:
        self.stored_beam = SimpleNamespace(current_ma=200.0, losses=None)
        self.published: list[Answer] = []
        self.shown: list[tuple[str, object]] = []

    def publish(self, answer: Answer) -> None:
        self.published.append(answer)

    def show(self, source: Any, value: object) -> None:
        self.shown.append((source.name, value))


class Rig:
    """The hardware of the MLS, asking a model that gives `beam`."""

    def __init__(self, beam: BeamState | None) -> None:
        config = ImperfectionsConfig(seed=1)
        self.beam, self.asked = beam, 0
        self.outputs, self.state = FakeOutputs(), ModelState(len(RING.bpms))
        self.handlers: dict[str, Any] = {}
        errors = machine_errors(RING.document, config)
        outputs: Any = self.outputs
        self.hardware = Hardware(RING.nominal, config, errors, self.state, outputs, lambda: 1000.0)
        self.hardware.use(self)
        controls: Any = SimpleNamespace(register=lambda source, handler: self.handlers.update({source.name: handler}))
        self.hardware.register(controls)

    def submit(self, lattice: Lattice, sequence: int) -> "asyncio.Future[Answer]":
        self.asked += 1
        answer = Answer(self.asked, sequence, lattice, self.beam, "" if self.beam else "the model failed")
        self.hardware.take(answer)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        future.set_result(answer)
        return future

    async def inject(self, value: float = 1.0) -> None:
        await self.handlers[sources.INJECT.name](value, CLIENT)


@pytest.fixture(scope="module")
def good() -> BeamState:
    return Propagator(RING)(RING.nominal)


def far_out(beam: BeamState) -> BeamState:
    orbit = beam.orbit.copy()
    orbit[RING.monitors[3], 0] = 8e-3
    return replace(beam, orbit=orbit)


async def test_a_beam_outside_the_envelope_is_lost_until_somebody_injects(good: BeamState) -> None:
    rig = Rig(far_out(good))
    await rig.hardware.submit(RING.nominal, 1)
    lost = rig.outputs.published[-1].beam
    assert lost is not None
    assert not lost.found
    rig.beam = good
    await rig.hardware.submit(RING.nominal, 2)
    assert not rig.outputs.published[-1].beam.found  # type: ignore[union-attr]
    await rig.inject()
    assert rig.outputs.published[-1].beam.found  # type: ignore[union-attr]
    assert rig.outputs.shown == [(sources.INJECT.name, 0)]


async def test_an_injection_that_cannot_store_a_beam_is_refused_with_the_reason(good: BeamState) -> None:
    rig = Rig(far_out(good))
    await rig.hardware.submit(RING.nominal, 1)
    with pytest.raises(RefusedControl, match=r"no beam could be stored: .*outside"):
        await rig.inject()
    rig.beam = None
    with pytest.raises(RefusedControl, match="no beam could be stored: the model failed"):
        await rig.inject()


async def test_an_injection_beside_a_stored_beam_is_refused_and_zero_asks_for_none(good: BeamState) -> None:
    rig = Rig(good)
    await rig.hardware.submit(RING.nominal, 1)
    asked = rig.asked
    await rig.inject(0.0)
    with pytest.raises(RefusedControl, match="a beam is stored already; nothing was injected"):
        await rig.inject()
    assert rig.asked == asked


def test_the_machine_reads_through_its_instruments_and_loses_particles(good: BeamState) -> None:
    rig = Rig(good)
    assert rig.state.instruments is not None
    assert rig.outputs.stored_beam.losses is not None
