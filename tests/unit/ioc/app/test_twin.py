"""A twin without servers: made with its first result published, and a journal that is let go of when it fails."""

import threading
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gnomon.ioc.app.initial_state import InitialState, nominal
from gnomon.ioc.app.twin import TwinRecipe, make_twin
from gnomon.ioc.base.machines import find_machine, pvs_of
from gnomon.ioc.outputs.bank import Severity
from gnomon.ioc.outputs.outputs import Outputs
from gnomon.ioc.outputs.stored_beam_outputs import Equilibrium
from gnomon.lattice import GnomonError
from gnomon.propagator import Answer
from gnomon.recorder import Journal
from unit.ioc.app.serving_stage import config_in
from unit.ioc.rig import RING, beam


def recipe(folder: Path, initial: InitialState | None = None) -> TwinRecipe:
    config = config_in(folder)
    machine = find_machine(config)
    state = initial or nominal(machine.ring)
    propagator = beam
    return TwinRecipe(config, machine, pvs_of(machine, "T:"), propagator, lambda: propagator, lambda _: state)


async def test_a_twin_begins_with_its_result_published(tmp_path: Path) -> None:
    started = RING.nominal.updated({("CP", "current"): 0.5})
    initial = InitialState(started, {("CP", "current"): 0.5}, "restore run 1")
    async with AsyncExitStack() as stack:
        twin = await make_twin(recipe(tmp_path, initial), stack)
        reading = twin.bank.reading(twin.bank.index["T:BPM1:rdX"])
        assert (reading.value, reading.severity) == (pytest.approx(0.5), Severity.NO_ALARM)
        assert twin.bank.reading(twin.bank.index["T:CP:set"]).value == 0.5
        assert (twin.prefix, twin.journal.next_sequence) == ("T:", 2)  # the restored settings are the first command


async def test_a_twin_that_cannot_begin_lets_go_of_its_journal(tmp_path: Path) -> None:
    broken = recipe(tmp_path)

    def fail(path: Path) -> InitialState:
        raise GnomonError("no such state")

    async with AsyncExitStack() as stack:
        with pytest.raises(GnomonError, match="no such state"):
            await make_twin(TwinRecipe(**(vars(broken) | {"initial_state": fail})), stack)
    Journal(broken.config.journal()).close()


async def test_kernels_are_compiled_in_a_thread_before_the_first_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    loop_thread = threading.get_ident()

    def prepare(self: Equilibrium) -> None:
        seen.append("in the loop" if threading.get_ident() == loop_thread else "in a thread")

    def publish(self: Outputs, answer: Answer) -> None:
        seen.append("a result")

    monkeypatch.setattr(Equilibrium, "prepare", prepare)
    monkeypatch.setattr(Outputs, "publish", publish)
    async with AsyncExitStack() as stack:
        await make_twin(recipe(tmp_path), stack)
    assert seen[:2] == ["in a thread", "a result"]
