"""A server publishes for its settings what `gnomon.ring` gives for the same settings, to the last bit."""

from pathlib import Path

import gnomon
from gnomon.propagator import Propagator
from unit.ioc.rig import RING, running


async def test_orbit_and_tunes_are_those_of_the_library(tmp_path: Path) -> None:
    async with running(tmp_path, lambda lattice: Propagator(RING)(lattice)) as rig:
        for name, value in {"CP": 0.5, "QFP": 80.5}.items():
            assert (await rig.put(f"T:{name}:set", value)).accepted
        ring = gnomon.ring(RING.nominal).set(CP=0.5, QFP=80.5)
        assert ring.orbit["BPM1"].x != 0.0
        assert rig.get("T:BPM1:rdX").value == ring.orbit["BPM1"].x
        assert rig.get("T:BPM1:rdY").value == ring.orbit["BPM1"].y
        assert rig.get("T:dt:lattice").value == ring.id
        assert rig.services.state.readings is not None
        assert rig.services.state.readings.beam.tune.tolist() == list(ring.tunes)
