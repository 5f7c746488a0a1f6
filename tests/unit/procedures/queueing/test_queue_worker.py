"""The worker of a queue: it starts without a server, with Run Engine, devices and plans by name."""

import inspect
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bluesky import RunEngine, utils
from ophyd_async.core import Device

from gnomon.procedures import registry
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.queueing import worker_namespace
from gnomon.procedures.queueing.connecting import connecting
from gnomon.procedures.runnable import RUNNABLE

EXAMPLES = Path(__file__).parents[4] / "examples"

#: It has no types.
untyped: Any = utils


def test_run_engine_devices_and_plans_are_there_without_a_server(tmp_path: Path) -> None:
    found = worker_namespace(machine="mls", prefix="NOBODY:", results=str(tmp_path))
    assert isinstance(found["RE"], RunEngine)
    measurements = {name.replace("-", "_") for name, each in RUNNABLE.items() if each.kind == "measurement"}
    assert {"orm", "bba", "tune_response"} <= measurements
    assert measurements <= {name for name, each in found.items() if untyped.is_plan(each)}
    assert {"count", "scan", "mv"} <= found.keys()
    assert isinstance(found["Q1P1K1RP"], Device)
    assert {"monitors", "tunes", "master_clock", "rf_voltage"} <= found.keys()
    assert all(name.isidentifier() for name in found)


def test_user_scripts_are_plans_and_broken_ones_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "PROCEDURES", dict(registry.PROCEDURES))
    folder = tmp_path / "scripts"
    shutil.copytree(EXAMPLES / "scripts", folder)
    (folder / "broken.py").write_text("def plan(:\n")
    found = worker_namespace(machine="mls", prefix="NOBODY:", results=tmp_path, scripts=str(folder))
    assert next(iter(inspect.signature(found["orbit_return"]).parameters)) == "steerer"
    assert "broken.py, line 1: it is not Python" in capsys.readouterr().out
    assert "broken" not in found


def test_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bluesky_queueserver", None)
    with pytest.raises(ProcedureError, match=r"pip install 'gnomon\[queue\]'"):
        worker_namespace(results=tmp_path)


class Connected(Device):
    """A device that counts how often it was connected."""

    times = 0

    async def connect(self, *_: object, **__: object) -> None:
        self.times += 1


def test_device_is_connected_once_before_it_is_used() -> None:
    one, other = Connected("one"), Connected("other")

    def plan() -> Iterator[Any]:
        yield untyped.Msg("clear_checkpoint", other)
        for _ in range(2):
            yield untyped.Msg("configure", one)
            yield untyped.Msg("locate", one)

    engine: Any = RunEngine({}, context_managers=[])
    reached: list[int] = []
    engine.preprocessors.append(connecting(lambda: reached.append(one.times + other.times)))
    for command in ("configure", "locate"):
        engine.register_command(command, _done)
    engine(plan())
    assert (one.times, other.times) == (1, 0)
    assert reached == [0]


async def _done(_: Any) -> None:
    pass
