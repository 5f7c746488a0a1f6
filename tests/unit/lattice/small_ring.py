"""A small machine document to break in tests: a FODO ring with every kind of element, device and conversion."""

import copy
import json
from typing import Any

LIMITS: dict[str, Any] = {
    "supply": {
        "k1": {"relative": [0.0, 1.5], "absolute": [-5.0, 5.0]},
        "b3": {"relative": [0.0, 1.5]},
        "b4": {"absolute": [-5.0, 5.0]},
        "kick_x": {"absolute": [-10.0, 10.0], "alarm": [-1.0, 1.0]},
    },
    "strength": [0.5, 1.5],
    "offset_m": 1e-3,
    "roll_rad": 5e-3,
    "skew": 0.1,
    "rf_hz": 5e3,
}


def _linear(name: str, element: str, drives: str, supply: str, slope: float) -> dict[str, Any]:
    conversion = {"kind": "linear", "slope": slope}
    return {"name": name, "element": element, "property": drives, "supply": supply, "conversion": conversion}


DOCUMENT: dict[str, Any] = {
    "schema": "gnomon.machine/1",
    "name": "small",
    "title": "a FODO cell",
    "source": "tests",
    "energy_ev": 1e9,
    "harmonic_number": 10,
    "rf": {"unit": "kHz"},
    "pvs": "bessy2",
    "limits": LIMITS,
    "elements": [
        {"type": "marker", "name": "START"},
        {"type": "quadrupole", "name": "QF", "length": 0.5, "k1": 1.2},
        {"type": "monitor", "name": "BPM1"},
        {"type": "drift", "name": "D1", "length": 1.0},
        {"type": "bend", "name": "B1", "length": 1.0, "angle": 0.2, "entrance_angle": 0.1, "exit_angle": 0.1},
        {"type": "sextupole", "name": "SF", "length": 0.2, "b3": 10.0},
        {"type": "quadrupole", "name": "QD", "length": 0.5, "k1": -1.1},
        {"type": "octupole", "name": "OC", "length": 0.1, "b4": 0.0},
        {"type": "multipole", "name": "MP", "length": 0.0, "a": [0.0, 0.01, 0.0, 0.0]},
        {"type": "corrector", "name": "C1"},
        {"type": "cavity", "name": "CAV", "length": 0.3, "frequency": 5e8, "voltage": 1e6, "harmonic_number": 10},
        {"type": "drift", "name": "D2", "length": 1.0},
    ],
    "supplies": [{"name": n} for n in ("QFP", "QDP", "SFP", "OCP", "CP", "QTRIM")],
    "magnets": [
        _linear("QF", "QF", "k1", "QFP", 0.05),
        {
            "name": "QD",
            "element": "QD",
            "property": "k1",
            "supply": "QDP",
            "conversion": {"kind": "polynomial", "coefficients": [0.0, -0.05, 0.0, 1e-9], "low": 0.0, "high": 150.0},
        },
        {
            "name": "SF",
            "element": "SF",
            "property": "b3",
            "supply": "SFP",
            "conversion": {"kind": "table", "currents": [0.0, 50.0, 100.0], "fields": [0.0, 40.0, 70.0]},
        },
        _linear("OC", "OC", "b4", "OCP", 9.0),
        _linear("CX", "SF", "kick_x", "CP", 3e-3),
        _linear("QFT", "QF", "k1", "QTRIM", 0.01),
    ],
    "monitors": [{"name": "BPM1", "slot": 1}],
    "multiplexer": {
        "name": "MUX",
        "supply": "MUXP",
        "factor": -2.0,
        "limits": {"low": -10.0, "high": 10.0},
        "magnets": ["QF", "QD"],
    },
}


def document() -> dict[str, Any]:
    """A copy that a test may change."""
    return copy.deepcopy(DOCUMENT)


def text(changed: dict[str, Any] | None = None) -> str:
    """A document as JSON."""
    return json.dumps(DOCUMENT if changed is None else changed)
