"""Puts to a server whose journal may have been taken away."""

import epics

from programs.access import pva, tried

STEERER = "TWIN:HS4P1D1R:"


def put(value: float) -> list[object]:
    """Return the answer of a put, the alarm severity of the recorder, and the steerer's value."""
    said = tried(STEERER + "set", value, accepted="done")
    state = epics.PV("TWIN:dt:recorder")
    state.get_with_metadata(form="time", use_monitor=False)
    return [said, state.severity, *(float(pva().get(STEERER + name)) for name in ("set", "rdbk"))]
