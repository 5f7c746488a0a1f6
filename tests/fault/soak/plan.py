"""The faults of a soak, drawn from a seed: every kind there is, on targets that leave some PVs to be watched."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gnomon.fault_injection import GROUPS
from gnomon.lattice import Ring

Keys = dict[str, Any]


@dataclass(frozen=True)
class Targets:
    """Devices that faults are about; what is watched is not among the monitors."""

    steerers: tuple[str, ...]
    quadrupoles: tuple[str, ...]
    magnets: tuple[str, ...]
    monitors: tuple[str, ...]
    readbacks: str
    #: A row of all monitors, whose length a fault may change.
    row: str

    @classmethod
    def of(cls, ring: Ring, readbacks: str) -> "Targets":
        """Sort a ring's devices; the first half of its monitors may be made to lie."""
        drives = {magnet.supply: magnet.property for magnet in ring.document.magnets}
        names = [supply.name for supply in ring.document.supplies]
        steerers = tuple(name for name in names if str(drives.get(name)).startswith("kick"))
        quadrupoles = tuple(name for name in names if drives.get(name) == "k1")
        magnets = tuple(magnet.name for magnet in ring.document.magnets)
        monitors = tuple(bpm.name for bpm in ring.bpms)
        return cls(steerers, quadrupoles, magnets, monitors[: len(monitors) // 2], readbacks, "beam:orbit:y")


def _supply(chance: random.Random, targets: Targets) -> str:
    """Draw a pattern: a steerer, all of a kind, a quadrupole."""
    return chance.choice([chance.choice(targets.steerers), "H*", "VS*", chance.choice(targets.quadrupoles)])


def _monitor(chance: random.Random, targets: Targets) -> str:
    return chance.choice(targets.monitors)


def _target(chance: random.Random, targets: Targets) -> Keys:
    """Draw what a fault of connections is about: a device, PVs of a pattern, or everything."""
    return chance.choice(
        [{"device": _supply(chance, targets)}, {"device": "BPM*"}, {"pv": targets.readbacks}, {"pv": "beam:*"}, {}]
    )


def _outage(chance: random.Random) -> Keys:
    return chance.choice([{"for_s": chance.uniform(0.2, 2.0)}, {"every_s": 1.5, "lasts_s": 0.5, "for_s": 4.0}])


Maker = Callable[[random.Random, Targets], Keys]

#: The keys of each kind.
MAKERS: Mapping[str, Maker] = {
    "abandon": lambda c, t: {"device": _supply(c, t)},
    "acknowledge": lambda c, t: {"device": _supply(c, t)},
    "unacknowledged": lambda c, t: {"device": _supply(c, t)},
    "refuse": lambda c, t: {"device": c.choice([_supply(c, t), "*"])},
    "delay": lambda c, t: {"device": _supply(c, t), "distribution": "exponential", "delay_s": c.uniform(0.05, 1.0)},
    "modify": lambda c, t: {"device": _supply(c, t), "scale": c.uniform(0.99, 1.01)},
    "polarity": lambda c, t: {"device": c.choice(t.steerers)},
    "quantise": lambda c, t: {"device": c.choice(t.steerers), "step": 0.05},
    "clip": lambda c, t: {"device": c.choice(t.steerers), "low": -0.2, "high": 0.2},
    "swap": lambda c, t: dict(zip(("device", "other"), c.sample(t.steerers, 2), strict=True)),
    "duplicate": lambda c, t: {"device": _supply(c, t), "delay_s": c.uniform(0.0, 1.0)},
    "reorder": lambda c, t: {"device": _supply(c, t), "depth": c.randint(1, 3), "within_s": 0.5},
    "partial_group": lambda c, t: {"device": "*", "lost": c.uniform(0.1, 0.9)},
    "partial_supply": lambda c, t: {"device": c.choice(t.quadrupoles), "magnets": "*"},
    "reading_stuck": lambda c, t: {"device": _monitor(c, t)},
    "reading_offset": lambda c, t: {"device": _monitor(c, t), "offset": c.uniform(-1.0, 1.0)},
    "reading_drift": lambda c, t: {"device": _monitor(c, t), "rate_per_s": c.uniform(-0.1, 0.1), "limit": 2.0},
    "reading_noise": lambda c, t: {"device": _monitor(c, t), "rms": c.uniform(0.01, 1.0)},
    "reading_spikes": lambda c, t: {"device": _monitor(c, t), "size": 5.0, "share": 0.1},
    "reading_swapped": lambda c, t: dict(zip(("device", "other"), c.sample(t.monitors, 2), strict=True)),
    "reading_polarity": lambda c, t: {"device": _monitor(c, t)},
    "reading_dead": lambda c, t: c.choice([{"device": _monitor(c, t)}, {"pv": "*"}]),
    "reading_nan": lambda c, t: c.choice([{"device": _monitor(c, t)}, {"pv": t.readbacks}]),
    "reading_severity": lambda c, t: {"device": _monitor(c, t), "severity": c.choice(["MINOR", "MAJOR", "INVALID"])},
    "reading_late": lambda c, t: (
        c.choice([{"device": _monitor(c, t)}, {"pv": t.readbacks}]) | {"delay_s": c.uniform(0.1, 3.0)}
    ),
    "reading_time": lambda c, t: {"device": _monitor(c, t)} | c.choice([{"frozen": True}, {"offset_s": -3600.0}]),
    "reading_length": lambda c, t: {"pv": t.row, "length": c.randint(0, 500)},
    "connection_lost": lambda c, t: _target(c, t) | _outage(c),
    "connection_slow": lambda c, t: _target(c, t) | {"delay_s": 0.5, "step": c.choice(["search", "channel"])},
    "connection_denied": lambda c, t: _target(c, t) | {"allow": c.choice(["read", "none"])} | _outage(c),
    "connection_put_hangs": lambda c, t: {"device": _supply(c, t), "accepted": c.choice([True, False])},
    "supply_trip": lambda c, t: {"device": c.choice(t.steerers), "reset": c.choice(["cleared", "setpoint"])},
    "supply_limit_cycle": lambda c, t: {"device": c.choice(t.steerers), "amplitude_a": 0.02, "period_s": 2.0},
    "supply_ripple": lambda c, t: {"device": c.choice(t.steerers), "amplitude_a": 0.01, "frequency_hz": 7.0},
    "supply_readback": lambda c, t: {"device": c.choice(t.steerers), "offset_a": 0.02, "field": "setpoint"},
    "supply_slow": lambda c, t: {"device": c.choice(t.steerers), "ramp_s": 60.0},
    "supply_hysteresis": lambda c, t: {"device": _supply(c, t), "width": 1e-3, "grow_s": 5.0},
    "beam_dump": lambda c, t: {"for_s": c.uniform(0.1, 1.5)},
    "beam_loss": lambda c, t: {"fraction": c.uniform(0.1, 0.9)},
    "beam_lifetime": lambda c, t: {"factor": c.uniform(0.01, 0.9)},
    "beam_jump": lambda c, t: {"device": "*", "kick_mrad": c.choice([-0.05, 0.02]), "plane": c.choice("xy")},
    "beam_no_orbit": lambda c, t: {"for_s": c.uniform(0.1, 1.5)},
    "model_slow": lambda c, t: c.choice([{"delay_s": c.choice([0.05, 0.3, 5.0])}, {"factor": 5.0}]),
    "model_hung": lambda c, t: c.choice([{"for_s": c.uniform(0.1, 4.0)}, {"count": c.randint(1, 5)}]),
    "model_crashed": lambda c, t: {"probability": c.uniform(0.1, 1.0), "for_s": 3.0},
    "journal_full": lambda c, t: c.choice([{"for_s": c.uniform(0.1, 2.0)}, {"count": c.randint(1, 3)}]),
    "store_unreachable": lambda c, t: {},
}  # fmt: skip


def draw(chance: random.Random, targets: Targets, condition: str) -> Keys:
    """Draw a fault: a group, a kind of it, its keys, and when it acts."""
    kinds = GROUPS[chance.choice(list(GROUPS))]
    kind = str(chance.choice(kinds).model_fields["kind"].default)
    keys = MAKERS[kind](chance, targets)
    if chance.random() < 0.4:
        keys.setdefault("for_s", chance.uniform(0.3, 5.0))
    if chance.random() < 0.1:
        keys.setdefault("count", chance.randint(1, 5))
    if chance.random() < 0.2:
        keys.setdefault("probability", chance.uniform(0.2, 1.0))
    if chance.random() < 0.1:
        keys["after_s"] = chance.uniform(0.1, 2.0)
    elif chance.random() < 0.1:
        keys["after_commands"] = chance.randint(1, 5)
    if chance.random() < 0.05:
        keys["condition"] = condition
    return {"kind": kind} | keys
