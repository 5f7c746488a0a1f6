"""Outputs of which nobody knows the value: INVALID until they are shown again."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gnomon.db import sources
from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.outputs.bank import Severity, Status, indices_by_source
from unit.ioc.rig import Rig, running

SETPOINT = "T:CP:set"


@contextmanager
def published(rig: Rig) -> Iterator[list[str]]:
    """The names that are published meanwhile."""
    names: list[str] = []
    stop = rig.bank.listen(lambda indices: names.extend(rig.bank.specs[i].name for i in indices))
    yield names
    stop()


async def test_an_output_out_of_reach_is_invalid_with_its_old_value_and_is_told_once(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        before = rig.get("T:dt:recorder")
        outputs = rig.services.outputs
        with published(rig) as names:
            outputs.invalidate([sources.RECORDER_STATE])
            outputs.invalidate([sources.RECORDER_STATE])
        assert names == ["T:dt:recorder"]
        after = rig.get("T:dt:recorder")
        assert (after.severity, after.status) == (Severity.INVALID, Status.COMM)
        assert (after.value, after.time_ns) == (before.value, before.time_ns)


async def test_an_output_is_valid_as_soon_as_it_is_shown_and_can_be_lost_again(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        outputs = rig.services.outputs
        for _ in range(2):
            outputs.invalidate([sources.RECORDER_STATE])
            assert rig.get("T:dt:recorder").severity is Severity.INVALID
            outputs.show(sources.RECORDER_STATE, 0)
            assert rig.get("T:dt:recorder").severity is Severity.NO_ALARM


async def test_setpoints_that_are_lost_still_are_shown_again_and_no_others(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        outputs = rig.services.outputs
        lost, shown, never = (rig.bank.index[f"T:{name}:set"] for name in ("CP", "QFP", "QDP"))
        outputs.invalidate_setpoints([lost, shown])
        outputs.show_setpoints({shown: 1.0}, 5)
        with published(rig) as names:
            outputs.validate_setpoints({lost: 2.0, shown: 3.0, never: 4.0}, 6)
            outputs.validate_setpoints({lost: 2.0, shown: 3.0, never: 4.0}, 7)
        assert names == [SETPOINT]
        assert (rig.get(SETPOINT).value, rig.get(SETPOINT).time_ns) == (2.0, 6)
        assert rig.get(SETPOINT).severity is not Severity.INVALID
        assert rig.get("T:QFP:set").value == 1.0


async def test_a_command_that_was_on_its_way_shows_a_lost_setpoint(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.services.outputs.invalidate_setpoints([rig.bank.index[SETPOINT]])
        assert (await rig.put(SETPOINT, 0.5)).accepted
        assert rig.get(SETPOINT).severity is Severity.NO_ALARM


async def test_the_state_of_the_model_is_new_when_its_outputs_are(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        state = rig.services.state
        seen: list[float] = []
        at = rig.bank.index["T:BPM1:rdX"]
        rig.bank.listen(lambda indices: seen.append(1e3 * state.readings.x[0]) if at in indices else None)  # type: ignore[union-attr]
        await rig.put(SETPOINT, 0.5)
        assert seen[-1] == pytest.approx(0.5) == rig.get("T:BPM1:rdX").value


def test_places_are_known_for_every_source_and_for_no_other() -> None:
    spec = PvSpec(name="table", kind=Kind.TABLE, source=sources.MONITOR_TABLE.name, description="")
    places = indices_by_source([spec])
    assert places[sources.MONITOR_TABLE] == [0]
    assert places[sources.TUNE.x] == []
    with pytest.raises(KeyError):
        indices_by_source([PvSpec(name="x", kind=Kind.FLOAT, source="tune.z", description="")])
