"""Bluesky as at a facility: its own plans with gnomon's devices, against a running server."""

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from importlib import util
from pathlib import Path
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.plans as bp
import numpy as np
from bluesky import RunEngine
from event_model import DocumentNames, schema_validators
from ophyd_async.plan_stubs import ensure_connected
from patience import PATIENCE_S

from gnomon import connect
from gnomon.clients import devices

STEERER, MONITOR = "HS4P1D1R", "BPMZ6D1R"


def _engine() -> tuple[Any, list[tuple[str, Any]]]:
    """A RunEngine, and the documents that it emits, each checked against its schema."""
    documents: list[tuple[str, Any]] = []

    def keep(name: str, document: Any) -> None:
        plain = {key: _plain(value) for key, value in document.items()}
        schema_validators[DocumentNames[name]].validate(plain)
        documents.append((name, document))

    engine = RunEngine(call_returns_result=True)
    engine.subscribe(keep)  # type: ignore[no-untyped-call]
    return engine, documents


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _events(documents: list[tuple[str, Any]]) -> list[dict[str, Any]]:
    events = [document["data"] for name, document in documents if name == "event"]
    documents.clear()
    return events


def _trouble(engine: Any, plan: Any) -> tuple[str, str, float]:
    """The kind and text of the error that ends a plan, and the seconds until then."""
    began = time.monotonic()
    try:
        engine(plan)
    except Exception as error:  # noqa: BLE001 - its kind is what is told
        cause: BaseException | None = error
        while cause is not None and not type(cause).__module__.startswith("gnomon"):
            cause = cause.__cause__
        return type(cause).__name__, str(cause), time.monotonic() - began
    return "", "", time.monotonic() - began


def twin(protocol: Any) -> dict[str, Any]:
    """Scans on a twin, and everything that can go wrong there."""
    engine, documents = _engine()
    ring = devices("bessy2", protocol=protocol)  # the one that runs here
    steerer, monitors, clock = ring.supplies[STEERER], ring.monitors, ring.master_clock
    mux, reference, quadrupole = ring.multiplexer, ring.reference_orbit, ring.magnets["Q1M2D1R"]
    used = (monitors, ring.tunes, ring.current, clock, mux, reference, quadrupole, steerer, ring.supplies["QSPAZR"])
    engine(ensure_connected(*used, ring.supplies["Q1PDR"]))
    at = monitors.names.index(MONITOR)
    told: dict[str, Any] = {}
    engine(bp.count([monitors, ring.tunes, ring.current], num=2))
    told["keys"] = {d["name"]: sorted(d["data_keys"]) for name, d in documents if name == "descriptor"}
    told["count"] = len(_events(documents))
    engine(bp.rel_scan([monitors, ring.tunes], steerer, -0.05, 0.05, 5))
    events = _events(documents)
    told["scan"] = [(each[STEERER], each["monitors-x"][at], each["monitors-generation"]) for each in events]
    frequencies: Any = (clock, [499636.6302, 499636.7302])
    engine(bp.list_scan([monitors], *frequencies))
    told["dispersion"] = [float(np.std(each["monitors-x"])) for each in _events(documents)]
    engine(bps.mv(clock, 499636.63017))
    engine(bps.mv(mux, "Q1M2D1R"))
    engine(bps.mv(ring.supplies["QSPAZR"], 1.0))
    told["multiplexer"] = engine(bps.rd(mux)).plan_result
    told["current of the magnet"] = engine(bps.rd(quadrupole["current"])).plan_result
    engine(bps.mv(mux, mux.OFF))
    told["multiplexer off"] = engine(bps.rd(mux)).plan_result
    with connect() as client:
        told["nominal"] = client.client.get("Q1PDR:set")[0].value
        told["refused"] = _trouble(engine, bps.mv(steerer, 20.0))
        told["unknown"] = _trouble(engine, bps.mv(mux, "Q1M2D1"))
        told["no reference"] = _trouble(engine, bps.mv(reference, "nothing"))
        told["no beam"] = _trouble(engine, _without_beam(ring, bp.count([monitors])))
        engine(bps.mv(ring.supplies["Q1PDR"], told["nominal"]))
        fault = client.client.call("dt:fault", {"do": "add", "kind": "abandon", "device": STEERER})
        told["lost"] = _trouble(engine, bps.mv(steerer, 0.3))
        client.client.call("dt:fault", {"do": "clear", "id": str(fault["id"])})
    began = time.monotonic()
    steerers = [*ring.supplies.match("HS*", "VS*")][:20]
    engine(ensure_connected(*steerers))
    engine(_responses(steerers, monitors))
    told["seconds of a setting"] = (time.monotonic() - began) / (3 * len(steerers))
    return told


def _without_beam(ring: Any, plan: Any) -> Any:
    yield from bps.mv(ring.supplies["Q1PDR"], 0.0)
    yield from plan


def _responses(steerers: Any, monitors: Any) -> Any:
    yield from bps.open_run()
    for steerer in steerers:
        for value in (0.05, -0.05, 0.0):
            yield from bps.mv(steerer, value)
            yield from bps.trigger_and_read([monitors, steerer], name=steerer.name)
    yield from bps.close_run()


def machine(protocol: Any, pid: int) -> dict[str, Any]:
    """A scan on a machine whose supplies ramp, and the end of that machine."""
    engine, documents = _engine()
    ring = devices("bessy2", prefix="", protocol=protocol, name="machine")
    steerer, monitors = ring.supplies[STEERER], ring.monitors
    engine(ensure_connected(monitors, steerer))
    progress: list[float] = []

    def moved() -> Any:
        status = yield from bps.abs_set(steerer, start + 0.2, group="moved")
        status.watch(lambda current=None, **_: progress.append(current))
        yield from bps.wait("moved")

    start = engine(bps.rd(steerer.setpoint)).plan_result
    engine(moved())
    engine(bps.mv(steerer, start))
    engine(bp.rel_scan([monitors], steerer, -0.1, 0.1, 3))
    at = monitors.names.index(MONITOR)
    events = _events(documents)
    told: dict[str, Any] = {
        "kind": "twin" if ring.session.is_twin else "machine",
        "progress": progress,
        "scan": [(each[f"machine-{STEERER}"], each["machine-monitors-x"][at]) for each in events],
        "counts": [each["machine-monitors-count"] for each in events],
        "stuck": _trouble(engine, _impatient(steerer, start + 0.2)),
    }
    os.kill(pid, signal.SIGKILL)
    told["lost connection"] = _trouble(engine, bp.count([monitors]))
    return told


def _impatient(steerer: Any, value: float) -> Any:
    yield from bps.abs_set(steerer, value, timeout=0.2, wait=True)


def exported(happi: str, ophyd: str) -> dict[str, Any]:
    """Classic devices of both exports."""
    from happi import Client
    from happi.backends.json_db import JSONBackend

    engine, documents = _engine()
    ring = devices("bessy2")  # says where the server is
    client = Client(database=JSONBackend(happi))
    spec = util.spec_from_file_location("ring", Path(ophyd))
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    sys.modules["ring"] = module
    spec.loader.exec_module(module)
    makers: dict[str, Callable[[str], Any]] = {
        "happi": lambda name: client.load_device(name=name),
        "ophyd": lambda name: module.devices[name],
    }
    told: dict[str, Any] = {"devices": [len(client.all_items), len(module.devices)]}
    for face, make in makers.items():
        steerer, monitors, tunes, clock = map(make, (STEERER, "monitors", "tunes", "master_clock"))
        for device in (steerer, monitors, tunes, clock):
            device.wait_for_connection(timeout=PATIENCE_S)
        engine(bp.rel_scan([monitors, tunes], steerer, -0.05, 0.05, 3))
        at = ring.monitors.names.index(MONITOR)
        units = next(d["data_keys"] for name, d in documents if name == "descriptor")
        told[face] = [(each[STEERER], each["monitors_x"][at]) for each in _events(documents)]
        told[f"{face} units"] = [units[key]["units"] for key in (STEERER, "monitors_x")]
    return told
