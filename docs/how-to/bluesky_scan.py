"""Scan a steerer, and look at orbit and tunes."""

from bluesky import RunEngine
from bluesky.plans import rel_scan
from ophyd_async.plan_stubs import ensure_connected

from gnomon.clients import devices

RE = RunEngine()
ring = devices("bessy2", prefix="TWIN:")
steerer = ring.supplies["HS4P1D1R"]
RE(ensure_connected(steerer, ring.monitors, ring.tunes))


def show(name, document):
    if name == "event":
        keys = ("HS4P1D1R", "monitors-x_rms", "tunes-x", "monitors-generation")
        print("  ".join(f"{key} {document['data'][key]:.5g}" for key in keys))


RE(rel_scan([ring.monitors, ring.tunes], steerer, -0.1, 0.1, 4), show)
