"""A logger of beam size, current and lifetime, and a client that measures between two injections."""

import time

from facility.clients.ca import PREFIX, get, put, pv, until


def sizes(names: list[str], optics: str, states: list[str]) -> dict[str, list[dict[str, object]]]:
    """Beam sizes with their units, in each of some optics; back to the first at the end."""
    found: dict[str, list[dict[str, object]]] = {}
    for number, state in enumerate(states):
        put(optics, number)
        found[state] = [{"value": float(get(name)), "unit": pv(name).get_ctrlvars()["units"]} for name in names]
    put(optics, 0)
    return found


def log(names: list[str], seconds: float) -> list[dict[str, float]]:
    """Read the PVs each time that the first of them is published."""
    rows: list[dict[str, float]] = []
    events: list[float] = []
    connected = [pv(name) for name in names]
    connected[0].add_callback(lambda timestamp=0.0, **_: events.append(timestamp))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        events.clear()
        until(lambda: events, 5.0)
        rows.append({name: float(get(name)) for name in names} | {"time": events[-1]})
    return rows


def count(counter: str, array: str, seconds: float) -> dict[str, int]:
    """Compare how far a counter went with how often the array that it counts was published."""
    published: list[float] = []
    pv(array).add_callback(lambda timestamp=0.0, **_: published.append(timestamp))
    until(lambda: published)
    time.sleep(0.2)
    first, published[:] = int(get(counter)), []
    time.sleep(seconds)
    return {"counted": int(get(counter)) - first, "published": len(published)}


def gate(countdown: str, gate_name: str, current: str, seconds: float) -> list[list[float]]:
    """[countdown, gate, current] at each publication of the countdown, over PV Access."""
    from p4p.client.thread import Context

    context, rows = Context("pva"), []
    names = [PREFIX + name for name in (countdown, gate_name, current)]
    subscription = context.monitor(names[0], lambda _: rows.append([float(v) for v in context.get(names)]))
    time.sleep(seconds)
    subscription.close()
    return list(rows)
