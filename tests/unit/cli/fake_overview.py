"""A running twin in memory, as `gnomon status` and `gnomon watch` read it."""

from dataclasses import replace
from typing import Any

from gnomon.clients.overview import Overview
from gnomon.clients.reading import Reading
from gnomon.clients.server_choice import Target
from gnomon.ioc.base.running_servers import RunningServer

NOW_NS = 1_700_000_000_000_000_000


def server(prefix: str = "TWIN:", **about: Any) -> RunningServer:
    """A server as it makes itself known."""
    addresses: dict[str, Any] = {"ca_address": "127.0.0.1:5064", "pva_address": "127.0.0.1:5075"}
    usual: dict[str, Any] = {"pid": 4711, "prefix": prefix, "machine": "mls", "role": "twin"}
    return RunningServer(**(usual | addresses | about))


def reading(source: str, value: Any, unit: str = "", states: tuple[str, ...] = (), **more: Any) -> Reading:
    index = states.index(value) if states else None
    return Reading(f"TWIN:{source}", value, unit, time_ns=NOW_NS, states=states, index=index, **more)


def healthy() -> dict[str, Reading]:
    """The readings, by source, of a twin that is well."""
    return {
        "beam.found": reading("beam.found", "found", states=("no beam", "found")),
        "beam.reason": reading("beam.reason", ""),
        "beam.current": reading("beam.current", 149.5, "mA"),
        "tune.fraction.x": reading("tune.fraction.x", 0.17812),
        "tune.fraction.y": reading("tune.fraction.y", 0.23199),
        "chromaticity.x": reading("chromaticity.x", 1.2),
        "chromaticity.y": reading("chromaticity.y", 0.9),
        "orbit.difference.rms.x": reading("orbit.difference.rms.x", 0.125, "mm"),
        "orbit.difference.rms.y": reading("orbit.difference.rms.y", 0.25, "mm"),
        "control.reference.use": reading("control.reference.use", "golden"),
        "control.active": reading("control.active", "computing", states=("paused", "computing")),
        "model.time": reading("model.time", 0.53, "ms"),
        "status.model.hung": reading("status.model.hung", 0),
        "machine.role": reading("machine.role", "twin", states=("twin", "shadow", "machine")),
        "faults.count": reading("faults.count", 0),
        "faults.active": reading("faults.active", []),
        "recorder.state": reading("recorder.state", "recording", states=("recording", "cannot write")),
        "status.journal.path": reading("status.journal.path", "/tmp/mls.journal"),
        "status.journal.size": reading("status.journal.size", 1.25, "MB"),
        "status.journal.last": reading("status.journal.last", 17),
        "status.heartbeat": reading("status.heartbeat", 5),
        "status.uptime": reading("status.uptime", 7384.0, "s"),
        "status.ca.clients": reading("status.ca.clients", 2),
        "status.pva.clients": reading("status.pva.clients", 1),
    }


def overview(**changes: Any) -> Overview:
    """A twin that is well, with some values changed, by source with `__` for `.`; a tuple is value, severity, alarm."""
    readings = healthy()
    for key, value in changes.items():
        name = key.replace("__", ".")
        old = readings.get(name, reading(name, None))
        value, severity, alarm = value if isinstance(value, tuple) else (value, 0, "")
        index = old.states.index(value) if old.states else None
        readings[name] = replace(old, value=value, index=index, severity=severity, alarm=alarm)
    return Overview(Target("TWIN:", {}, server()), readings, commands=(), time_ns=NOW_NS + 500_000_000)
