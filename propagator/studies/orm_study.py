"""The orbit response matrix: by magnet [m/rad], by power supply as the monitors show it [mm/A], and by RF frequency."""

import numpy as np

from gnomon.lattice import Lattice
from gnomon.lattice.elements import PARAMETERS
from gnomon.propagator import Propagator
from gnomon.propagator.compiled import Floats
from gnomon.propagator.derivatives import (
    fed_by,
    frequency_response,
    orbit_response,
    supplies_of,
    supply_response,
)
from gnomon.propagator.studies.result_files import Quantity, StudyResult
from gnomon.propagator.studies.study_parts import Say, facts_of, stored_beam

#: Part of its range that a valid steerer must be able to move in both directions.
ROOM = 0.01


def study_orm(lattice: Lattice, origin: str, say: Say) -> StudyResult:
    """Compute the orbit response with the momentum held and with the RF frequency held, and the column of the RF.

    All are linearised about the orbit and momentum deviation that the lattice has at its RF frequency. Responses by
    supply are changes of readings, so they include gains and rolls of the monitors. A monitor is valid if its readings
    follow the beam in both planes, a steerer if it moves the orbit and has room to move in both directions.
    """
    ring = lattice.ring
    propagate = Propagator(ring)
    say("orbit and optics", 0, 4)
    beam = stored_beam(propagate, lattice)
    say("momentum held", 1, 4)
    momentum = orbit_response(propagate, lattice)
    say("frequency held", 2, 4)
    frequency = orbit_response(propagate, lattice, hold="frequency")
    rf = frequency_response(propagate, lattice)
    say("by power supply", 3, 4)
    steerers = steering_supplies(lattice)
    axes, by_supply = ("monitors", "corrector"), ("monitors", "supply")
    readings = {}
    errors = lattice.monitor_errors()
    for hold in ("momentum", "frequency"):
        response = supply_response(propagate, lattice, steerers, hold=hold)
        x, y = errors.changes(response.orbit[:, 0], response.orbit[:, 2])
        readings[f"x by supply, {hold} held"] = Quantity(1e3 * x, "mm/A", by_supply)
        readings[f"y by supply, {hold} held"] = Quantity(1e3 * y, "mm/A", by_supply)
    rf_x, rf_y = errors.changes(rf.x[:, 0], rf.y[:, 0])
    say("done", 4, 4)
    return StudyResult(
        study="orm",
        facts=facts_of(lattice, origin),
        names={
            "monitors": momentum.monitors,
            "corrector": momentum.names,
            "knob parameters": momentum.parameters,
            "supply": steerers,
            "supply plane": tuple(_plane(lattice, name) for name in steerers),
        },
        quantities={
            "x, momentum held": Quantity(momentum.x, "m/rad", axes),
            "y, momentum held": Quantity(momentum.y, "m/rad", axes),
            "x, frequency held": Quantity(frequency.x, "m/rad", axes),
            "y, frequency held": Quantity(frequency.y, "m/rad", axes),
            "momentum deviation, frequency held": Quantity(frequency.delta, "1/rad", ("corrector",)),
            "x, by RF frequency": Quantity(rf.x[:, 0], "m/Hz", ("monitors",)),
            "y, by RF frequency": Quantity(rf.y[:, 0], "m/Hz", ("monitors",)),
            "momentum deviation, by RF frequency": Quantity(np.array(rf.delta[0]), "1/Hz"),
            "momentum deviation": Quantity(np.array(beam.delta), "1"),
            **readings,
            "x readings, by RF frequency": Quantity(1e6 * rf_x, "mm/kHz", ("monitors",)),
            "y readings, by RF frequency": Quantity(1e6 * rf_y, "mm/kHz", ("monitors",)),
            "monitor s": Quantity(ring.s[list(ring.monitors)], "m", ("monitors",)),
            "supply s": Quantity(_places(lattice, steerers), "m", ("supply",)),
            "supply current": Quantity(np.array([lattice[name, "current"] for name in steerers]), "A", ("supply",)),
            "monitor valid": Quantity(_follows(errors.gains), "1", ("monitors",)),
            "supply valid": Quantity(
                np.array([_can_move(lattice, name) for name in steerers], dtype=bool), "1", ("supply",)
            ),
        },
    )


def steering_supplies(lattice: Lattice) -> tuple[str, ...]:
    """List the supplies that feed only steerers, in beam order of their first magnets."""
    fed = {name: [m for m, _ in fed_by(lattice, name)] for name in supplies_of(lattice)}
    found = [name for name, magnets in fed.items() if all(m.main == "kick" for m in magnets)]
    return tuple(sorted(found, key=lambda name: min(m.element for m in fed[name])))


def _plane(lattice: Lattice, supply: str) -> str:
    """Return the planes of the coils that a supply feeds: `x`, `y` or both."""
    return "".join(sorted({PARAMETERS[m.column][-1] for m, _ in fed_by(lattice, supply)}))


def _places(lattice: Lattice, supplies: tuple[str, ...]) -> Floats:
    """Return the position [m] of the centre of each supply's first magnet."""
    ring = lattice.ring
    first = [min(m.element for m, _ in fed_by(lattice, name)) for name in supplies]
    return np.array([ring.s[i] + 0.5 * ring.elements[i].length for i in first])


def _follows(gains: Floats) -> "np.typing.NDArray[np.bool_]":
    return np.asarray((gains != 0.0).all(axis=1) & np.isfinite(gains).all(axis=1))


def _can_move(lattice: Lattice, supply: str) -> bool:
    spec, current = lattice.ring.property_spec(supply, "current"), lattice[supply, "current"]
    room = ROOM * (spec.high - spec.low)
    moves = any(slope != 0.0 for _, slope in fed_by(lattice, supply))
    return moves and spec.low + room <= current <= spec.high - room
