"""Use of gnomon's own PVs by a client, over both protocols."""

import time
from typing import Any

import epics
from patience import PATIENCE_S

from programs.access import ca_severity, caget, caput, pva_structures, pvput, tried

FIGURES = (
    "heartbeat", "uptime", "pid", "memory", "queue", "put:time:p50", "put:time:p99", "model:time:p50",
    "model:time:p99", "model:hung", "ca:clients", "pva:clients", "pva:channels", "journal:last",
)  # fmt: skip
TUNE = "TUNEZRP:measX"
STEERER = "HS1P2K1RP:setCur"


def _get(name: str) -> Any:
    return caget("TWIN:" + name)


def _structure(name: str) -> Any:
    return pva_structures().get("TWIN:" + name, timeout=PATIENCE_S)


def _severities(name: str) -> list[int]:
    return [ca_severity("TWIN:" + name), _structure(name).alarm.severity]


def figures() -> dict[str, Any]:
    """All figures after two seconds and a put, and some of them by other ways."""
    caput("TWIN:" + STEERER, 0.01)
    first = _get("dt:heartbeat")
    _structure("dt:pid")
    time.sleep(2.2)
    return {name: _get("dt:" + name) for name in FIGURES} | {
        "first": first,
        "over pva": _structure("dt:pid").value,
        "path": _structure("dt:journal:path").value,
        "long": epics.caget("TWIN:dt:journal:path.VAL$", as_string=True),
    }


def pause_and_resume(over: str) -> list[Any]:
    """Observe the model before, while and after it is paused over one of the protocols."""
    if over == "ca":

        def put(name: str, value: Any) -> None:
            assert caput("TWIN:" + name, value) == 1
    else:

        def put(name: str, value: Any) -> None:
            pvput("TWIN:" + name, value)

    put("dt:active", "paused")
    seen = [_severities(TUNE), _structure("dt:reason").value]
    put(STEERER, 0.02)
    seen += [_get(STEERER), _severities(TUNE), _get("dt:active")]
    put("dt:active", 1)
    return [*seen, _severities(TUNE), _get("dt:reason"), _get("dt:calc:orbit:roe")]


def refused_state() -> list[Any]:
    """Put a state that there is not, over both protocols: what PV Access said, and the state over both."""
    said = tried("TWIN:dt:active", 7)
    caput("TWIN:dt:active", 7)
    return [said, _get("dt:active"), _structure("dt:active").value.index]


def reference_orbit() -> list[Any]:
    """Save an orbit, use it, go away from it; then a reference that there is not, and none."""
    caput("TWIN:" + STEERER, 0.0)
    caput("TWIN:" + STEERER, 0.5)
    before = _get("dt:orbit:diff:rms:x")
    caput("TWIN:dt:orbit:ref:save", "golden")
    pvput("TWIN:dt:orbit:ref:use", "golden")
    same = _get("dt:orbit:diff:max:x")
    caput("TWIN:" + STEERER, 0.0)
    seen = [
        before,
        same,
        _get("dt:orbit:diff:rms:x"),
        _structure("dt:orbit:diff:x").value.tolist(),
        list(_get("dt:orbit:ref:names")),
        _get("dt:orbit:diff:where:x") in list(_get("dt:orbit:names")),
        tried("TWIN:dt:orbit:ref:use", "silver"),
    ]
    caput("TWIN:dt:orbit:ref:use", "zero")
    return [*seen, _get("dt:orbit:diff:max:x")]
