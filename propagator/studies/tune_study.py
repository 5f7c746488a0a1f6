"""Tunes, chromaticities and optics of a lattice, their responses to magnets and power supplies, and radiation."""

import numpy as np

from gnomon.lattice import GnomonError, Lattice, supply_facts
from gnomon.propagator import BeamState, Propagator
from gnomon.propagator.compiled import Floats
from gnomon.propagator.derivatives import chromaticity_response, supplies_of, supply_response, tune_response
from gnomon.propagator.studies.fixed_momentum import optics_inside, tune_scan
from gnomon.propagator.studies.result_files import Quantity, StudyResult
from gnomon.propagator.studies.study_parts import Say, facts_of, stored_beam

#: Number of momentum deviations of a scan.
SCAN = 81


def study_tune(lattice: Lattice, origin: str, say: Say, order: int = 0, delta_range: float = 0.01) -> StudyResult:
    """Compute tunes, chromaticity and optics around the ring, their responses, and radiation.

    Responses to quadrupoles and sextupoles are with the momentum held, those to power supplies with the RF frequency
    held, as on a machine. The tunes are scanned over momentum deviations of +-`delta_range`; 0 means no scan.

    If `order` is 1 to 3, chromaticities up to that order and the tune shift with amplitude are added, from the one-turn
    map as power series.
    """
    ring = lattice.ring
    propagate = Propagator(ring)
    say("orbit and optics", 0, 6)
    beam = stored_beam(propagate, lattice)
    say("tunes by quadrupoles", 1, 6)
    tunes = tune_response(propagate, lattice)
    say("chromaticity by sextupoles", 2, 6)
    chromaticities = chromaticity_response(propagate, lattice)
    say("tunes and chromaticities by power supplies", 3, 6)
    supplies, by_supply = _by_supply(propagate, lattice)
    say("along the ring and the momentum", 4, 6)
    curves = _curves(lattice, beam, delta_range)
    say("synchrotron motion and radiation", 5, 6)
    numbers, no_numbers = _six_dimensional(lattice)
    if order:
        say("one-turn map as power series", 5, 6)
        numbers |= _nonlinear(lattice, order)
    say("done", 6, 6)
    places = ("place",)
    return StudyResult(
        study="tune",
        facts=facts_of(lattice, origin) | no_numbers,
        names={
            "place": (*(e.name for e in ring.elements), "end"),
            "mode": ("1 (x)", "2 (y)"),
            "coordinate": ("x [m]", "px [rad]", "y [m]", "py [rad]"),
            "knob": tunes.names,
            "knob parameters": tunes.parameters,
            "sextupole": chromaticities.names,
            "supply": supplies,
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
            "knob s": Quantity(_centres(lattice, tunes.names), "m", ("knob",)),
            "tune response": Quantity(tunes.tune, "1/(1/m^2)", ("mode", "knob")),
            "chromaticity response": Quantity(chromaticities.tune, "1/(1/m^3)", ("mode", "sextupole")),
        }
        | by_supply
        | curves
        | numbers,
    )


def _centres(lattice: Lattice, names: tuple[str, ...]) -> Floats:
    """Return the positions [m] of the centres of elements."""
    ring = lattice.ring
    which = [ring.index[name] for name in names]
    return np.array([ring.s[i] + 0.5 * ring.elements[i].length for i in which])


def _by_supply(propagate: Propagator, lattice: Lattice) -> tuple[tuple[str, ...], dict[str, Quantity]]:
    """Compute responses of tunes and chromaticities to the currents of all supplies, the RF frequency held."""
    supplies = supplies_of(lattice)
    response = supply_response(propagate, lattice, supplies, places=())
    first = {facts.name: facts.s_m[0] for facts in supply_facts(lattice)}
    axes = ("mode", "supply")
    return supplies, {
        "tune by supply": Quantity(response.tune, "1/A", axes),
        "chromaticity by supply": Quantity(response.chromaticity, "1/A", axes),
        "momentum deviation by supply": Quantity(response.delta, "1/A", ("supply",)),
        "supply s": Quantity(np.array([first.get(name, np.nan) for name in supplies]), "m", ("supply",)),
    }


def _curves(lattice: Lattice, beam: BeamState, delta_range: float) -> dict[str, Quantity]:
    """Compute optics at points inside the elements, and tunes as a function of the momentum deviation."""
    inside = optics_inside(lattice, beam)
    point = ("point",)
    curves = {
        "point s": Quantity(inside.s, "m", point),
        "point element": Quantity(inside.element, "1", point),
        "point orbit": Quantity(inside.orbit, "m, rad", ("point", "coordinate")),
        "point beta": Quantity(inside.beta, "m", ("point", "mode")),
        "point dispersion": Quantity(inside.dispersion, "m, rad", ("point", "coordinate")),
    }
    if delta_range > 0.0:
        deltas = beam.delta + np.linspace(-delta_range, delta_range, SCAN)
        curves["scanned momentum deviation"] = Quantity(deltas, "1", ("scan",))
        curves["scanned tune"] = Quantity(tune_scan(lattice, deltas.tolist()), "1", ("scan", "mode"))
    return curves


def _six_dimensional(lattice: Lattice) -> tuple[dict[str, Quantity], dict[str, str]]:
    """Compute synchrotron motion, radiation and beam sizes; without a voltage, return the reason as a fact."""
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
