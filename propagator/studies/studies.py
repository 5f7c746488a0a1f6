"""Studies of a machine: each takes a lattice and returns what it found, for `gnomon study`."""

from collections.abc import Callable

import numpy as np

import gnomon
from gnomon.lattice import GnomonError, Lattice, Ring
from gnomon.propagator import BeamState, Propagator
from gnomon.propagator.derivatives import chromaticity_response, frequency_response, orbit_response, tune_response
from gnomon.propagator.ensembles.study import ApertureStudy
from gnomon.propagator.studies.result_files import Quantity, StudyError, StudyResult

#: Told what a study is at: a phrase, how many steps are done and how many there are.
Say = Callable[[str, int, int], None]


def optics_named(ring: Ring, name: str | None) -> Lattice:
    """The nominal lattice, or one of the document's named optics. Raises StudyError with the names there are."""
    if name is None or name == "nominal":
        return ring.nominal
    if name not in ring.optics:
        raise StudyError(f"{ring.name}: there is no optics {name!r}; there are {', '.join(['nominal', *ring.optics])}")
    return ring.optics[name]


def study_tune(lattice: Lattice, optics: str, say: Say, order: int = 0) -> StudyResult:
    """Tunes, chromaticity and optics around the ring, how every quadrupole and sextupole moves them, and radiation.

    From `order` 1 on also what the one-turn map as power series tells: chromaticities up to that order (at most 3), and
    the tune shift with amplitude.
    """
    ring = lattice.ring
    propagate = Propagator(ring)
    say("orbit and optics", 0, 4)
    beam = _beam(propagate, lattice)
    say("tunes by quadrupoles", 1, 4)
    tunes = tune_response(propagate, lattice)
    say("chromaticity by sextupoles", 2, 4)
    chromaticities = chromaticity_response(propagate, lattice)
    say("synchrotron motion and radiation (compiles once)", 3, 4)
    numbers, no_numbers = _six_dimensional(lattice)
    if order:
        say("one-turn map as power series", 3, 4)
        numbers |= _nonlinear(lattice, order)
    say("done", 4, 4)
    places = ("place",)
    return StudyResult(
        study="tune",
        facts=_facts(lattice, optics) | no_numbers,
        names={
            "place": (*(e.name for e in ring.elements), "end"),
            "mode": ("1 (x)", "2 (y)"),
            "coordinate": ("x [m]", "px [rad]", "y [m]", "py [rad]"),
            "knob": tunes.names,
            "knob parameters": tunes.parameters,
            "sextupole": chromaticities.names,
        },
        quantities={
            "tune": Quantity(beam.tune, "1", ("mode",)),
            "chromaticity": Quantity(beam.chromaticity, "1", ("mode",)),
            "momentum compaction": Quantity(np.array(beam.momentum_compaction), "1"),
            "momentum deviation": Quantity(np.array(beam.delta), "1"),
            "s": Quantity(ring.s, "m", places),
            "orbit": Quantity(beam.orbit, "m, rad", ("place", "coordinate")),
            "beta": Quantity(beam.beta, "m", ("place", "mode")),
            "alpha": Quantity(beam.alpha, "1", ("place", "mode")),
            "phase": Quantity(beam.phase, "turn", ("place", "mode")),
            "dispersion": Quantity(beam.dispersion, "m, rad", ("place", "coordinate")),
            "knob s": Quantity(np.array([ring.s[ring.index[name]] for name in tunes.names]), "m", ("knob",)),
            "tune response": Quantity(tunes.tune, "1/(1/m^2)", ("mode", "knob")),
            "chromaticity response": Quantity(chromaticities.tune, "1/(1/m^3)", ("mode", "sextupole")),
        }
        | numbers,
    )


def study_orm(lattice: Lattice, optics: str, say: Say) -> StudyResult:
    """The orbit response matrix with the momentum held and with the RF frequency held, and its column of the RF.

    All are linearised about the orbit and momentum deviation that the lattice has at its RF frequency.
    """
    propagate = Propagator(lattice.ring)
    say("orbit and optics", 0, 3)
    beam = _beam(propagate, lattice)
    say("momentum held", 1, 3)
    momentum = orbit_response(propagate, lattice)
    say("frequency held", 2, 3)
    frequency = orbit_response(propagate, lattice, hold="frequency")
    rf = frequency_response(propagate, lattice)
    say("done", 3, 3)
    axes = ("monitors", "corrector")
    return StudyResult(
        study="orm",
        facts=_facts(lattice, optics),
        names={
            "monitors": momentum.monitors,
            "corrector": momentum.names,
            "knob parameters": momentum.parameters,
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
        },
    )


def aperture_result(found: ApertureStudy, lattice: Lattice, optics: str) -> StudyResult:
    """Convert the result of an aperture study for writing."""
    names: dict[str, tuple[str, ...]] = {"momentum": tuple(f"{part.delta:g}" for part in found.dynamic)}
    quantities: dict[str, Quantity] = {}
    for part in found.dynamic:
        label = f"dynamic aperture at delta {part.delta:g}"
        quantities[f"{label}, x"] = Quantity(part.x, "m", ("angle",))
        quantities[f"{label}, y"] = Quantity(part.y, "m", ("angle",))
        quantities[f"{label}, ended by the search"] = Quantity(part.open, "1", ("angle",))
        quantities[f"{label}, area"] = Quantity(np.array(part.area), "m^2")
    if found.momentum is not None:
        names["place"] = found.momentum.elements
        for name in ("s", "negative", "positive"):
            unit = "m" if name == "s" else "1"
            quantities[f"momentum aperture, {name}"] = Quantity(getattr(found.momentum, name), unit, ("place",))
    return StudyResult("aperture", _facts(lattice, optics), names, quantities)


def _six_dimensional(lattice: Lattice) -> tuple[dict[str, Quantity], dict[str, str]]:
    """Synchrotron motion, radiation and beam sizes; without a voltage there are none, and the fact is why."""
    from gnomon.propagator.six import summary

    try:
        numbers = summary(lattice)
    except GnomonError as error:
        return {}, {"no synchrotron motion": str(error)}
    return {name: Quantity(np.array(value), "") for name, value in numbers.items()}, {}


def _nonlinear(lattice: Lattice, order: int) -> dict[str, Quantity]:
    from gnomon.propagator.generic import one_turn_map, tune_shift_with_amplitude

    turn = one_turn_map(lattice, order + 1)
    orders = np.array([turn.chromaticity(k) for k in range(1, order + 1)])
    return {
        "chromaticity by order": Quantity(orders, "1", ("order", "mode")),
        "tune shift with amplitude": Quantity(tune_shift_with_amplitude(lattice), "1/m", ("mode", "action of mode")),
    }


def _beam(propagate: Propagator, lattice: Lattice) -> BeamState:
    beam = propagate(lattice)
    if not beam.found:
        raise StudyError(f"{lattice.ring.name}: {beam.reason}")
    return beam


def _facts(lattice: Lattice, optics: str) -> dict[str, str]:
    return {"machine": lattice.ring.name, "optics": optics, "lattice": lattice.id, "gnomon": gnomon.__version__}
