"""Readings as JSON for the browser: small, and encoded once for all pages.

An array of floats is `{"f4": TEXT}`, the base64 of 32-bit floats in little-endian order (seven digits); NaN is a gap.
"""

import json
from base64 import b64encode
from typing import Any

import numpy as np

from gnomon.clients.reading import Reading, jsonable

#: A value that is disconnected: without the number that it had.
GONE = '{"gone":1}'


def value_json(value: Any) -> str:
    """Encode a value."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return f'{{"f4":"{b64encode(value.astype("<f4").tobytes()).decode()}"}}'
    return json.dumps(jsonable(value), separators=(",", ":"))


def reading_json(reading: Reading | None) -> str:
    """Encode a reading: v value, u unit, s severity, a alarm, t time [ms], i number of a state, lo and hi drive limits.

    What is empty or zero is left out. None, a PV that is disconnected, has no value at all.
    """
    if reading is None:
        return GONE
    more: dict[str, Any] = {}
    if reading.unit:
        more["u"] = reading.unit
    if reading.severity:
        more |= {"s": reading.severity, "a": reading.alarm}
    if reading.time_ns:
        more["t"] = reading.time_ns // 1_000_000
    if reading.index is not None:
        more["i"] = reading.index
    if reading.limits is not None:
        more |= {"lo": reading.limits[0], "hi": reading.limits[1]}
    rest = json.dumps(more, separators=(",", ":"))[1:]
    return f'{{"v":{value_json(reading.value)}{"," if more else ""}{rest}'
