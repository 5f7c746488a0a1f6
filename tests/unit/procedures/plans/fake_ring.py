"""Devices of a ring as plans see them, on the model in this process: no server, no EPICS."""

import time
from types import SimpleNamespace
from typing import Any

import numpy as np
from bluesky.protocols import Location
from ophyd.status import Status
from patience import PATIENCE_S

from gnomon.clients.errors import NoBeamError
from gnomon.clients.server_choice import Target
from gnomon.lattice import Key
from gnomon.procedures.machine_session import State
from gnomon.procedures.model_values import RF
from unit.procedures.noisy_ring import NoisyRing


class Knob:
    """A setting of the ring."""

    parent = None

    def __init__(self, ring: NoisyRing, name: str, key: Key, unit: str = "A") -> None:
        self.ring, self.name, self.key, self.unit = ring, name, key, unit

    async def connect(self, *_: Any, **__: Any) -> None:
        pass

    def set(self, value: float) -> Status:
        status = Status(timeout=PATIENCE_S)
        self.ring.set({self.key: value})
        status.set_finished()
        return status

    def locate(self) -> Location[float]:
        value = self.ring.lattice[self.key]
        return Location(setpoint=value, readback=value)


class Mux(Knob):
    """The multiplexer, set by the name of a quadrupole."""

    def __init__(self, ring: NoisyRing, name: str) -> None:
        mux = ring.lattice.ring.multiplexer
        assert mux is not None
        super().__init__(ring, name, (mux.name, "selected"))
        self.numbers = {"off": 0.0} | {m: float(n) for n, m in enumerate(mux.magnets, 1)}

    def set(self, value: Any) -> Status:
        return super().set(self.numbers[value])

    def locate(self) -> Location[Any]:
        number = self.ring.lattice[self.key]
        name = next(name for name, known in self.numbers.items() if known == number)
        return Location(setpoint=name, readback=name)


class Detector:
    """Monitors or tunes: `x` and `y` of the present beam."""

    parent = None

    def __init__(self, ring: NoisyRing, name: str) -> None:
        self.ring, self.name = ring, name
        self.names = tuple(bpm.name for bpm in ring.lattice.ring.bpms)
        self.now: Any = None

    async def connect(self, *_: Any, **__: Any) -> None:
        pass

    def trigger(self) -> Status:
        status = Status(timeout=PATIENCE_S)
        beam = self.ring.propagate(self.ring.lattice)
        if beam.found:
            self.now = self.ring.orbit() if self.name == "monitors" else self.ring.tunes()
            status.set_finished()
        else:
            status.set_exception(NoBeamError(beam.reason))
        return status

    def read(self) -> dict[str, Any]:
        return {
            f"{self.name}-{plane}": {"value": value, "timestamp": time.time()}
            for plane, value in zip("xy", self.now, strict=True)
        }

    def describe(self) -> dict[str, Any]:
        shape = list(np.shape(self.now[0]))
        kind = "array" if shape else "number"
        return {f"{self.name}-{plane}": {"source": "model", "dtype": kind, "shape": shape} for plane in "xy"}

    def read_configuration(self) -> dict[str, Any]:
        return {}

    def describe_configuration(self) -> dict[str, Any]:
        return {}


class Supplies(dict[str, Knob]):
    """Knobs of all supplies, made when they are asked for."""

    def __init__(self, ring: NoisyRing) -> None:
        super().__init__()
        self.ring = ring

    def __contains__(self, name: object) -> bool:
        return (name, "current") in self.ring.lattice.ring.properties

    def __missing__(self, name: str) -> Knob:
        self[name] = Knob(self.ring, name, (name, "current"))
        return self[name]


def fake_devices(ring: NoisyRing) -> Any:
    """Devices as `gnomon.clients.devices` makes them, as far as plans use them."""
    return SimpleNamespace(
        name=ring.lattice.ring.name,
        supplies=Supplies(ring),
        master_clock=Knob(ring, "master_clock", RF, "kHz"),
        monitors=Detector(ring, "monitors"),
        tunes=Detector(ring, "tunes"),
        multiplexer=Mux(ring, "multiplexer") if ring.lattice.ring.multiplexer is not None else None,
    )


class FakeSession:
    """A session with this ring; `model` is what the model believes."""

    prefix = "T:"
    load_fit: Any = None
    client: Any = SimpleNamespace(target=Target("T:"))

    def __init__(self, ring: NoisyRing) -> None:
        self.ring_now, self.model = ring, ring.lattice.ring.nominal

    def present_lattice(self) -> Any:
        return self.model

    def model_lattice(self, present: Any) -> Any:
        return present

    def state(self) -> State:
        return State(lattice_id=self.ring_now.lattice.id, role="twin")

    def provenance(self, before: State, after: State, started: str) -> Any:
        from gnomon.procedures.documents import Provenance

        return Provenance(
            machine="bessy2", lattice_id=before.lattice_id, lattice_id_after=after.lattice_id, started=started
        )
