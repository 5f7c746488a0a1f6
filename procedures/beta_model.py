"""Values of the model for a quadrupole scan: the ways to change gradients, and mean beta functions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice import Key, Lattice, Magnet
from gnomon.procedures.device_choice import chosen_names
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.local_beta import LocalBetaModel
from gnomon.propagator import BeamState, Propagator
from gnomon.propagator.derivatives import fed_by, supplies_of

__all__ = ["GradientKnob", "gradient_knobs", "local_beta_model", "mean_beta"]

Array = NDArray[np.float64]

#: Displacement of a quadrupole by which its effect is computed [mm].
MOVE_MM = 0.05
#: Nodes and weights for means along a magnet.
NODES, WEIGHTS = np.polynomial.legendre.leggauss(8)


@dataclass(frozen=True, slots=True)
class GradientKnob:
    """A quadrupole that is changed alone, through the multiplexer or by its supply, or all of a supply."""

    name: str
    supply: str
    by_multiplexer: bool
    magnets: tuple[Magnet, ...]

    def settings(self, lattice: Lattice, change: float) -> dict[Key, float]:
        """Return the settings with a change of the supply's current."""
        key = (self.supply, "current")
        made = {key: lattice[key] + change}
        if self.by_multiplexer:
            mux = lattice.ring.multiplexer
            assert mux is not None
            made[mux.name, "selected"] = float(self.magnets[0].selection or 0)
        return made


def gradient_knobs(lattice: Lattice, patterns: Sequence[str]) -> tuple[GradientKnob, ...]:
    """Find quadrupoles that can be changed alone, and supplies of several, by patterns of their names.

    A pattern that fits both means each quadrupole once: alone if that is possible, else with the others of its supply.
    A supply of quadrupoles that can be changed alone is meant by its whole name only. Raises
    ProcedureError for a pattern that nothing fits.
    """
    ring, mux = lattice.ring, lattice.ring.multiplexer
    magnets = {m.name: m for m in ring.magnets if m.main == "k1"}
    known: dict[str, GradientKnob] = {}
    several: list[GradientKnob] = []
    for supply in supplies_of(lattice):
        if mux is not None and supply == mux.supply:
            continue
        fed = tuple(m for m, _ in fed_by(lattice, supply) if m.main == "k1")
        if len(fed) == 1 and len(fed_by(lattice, supply)) == 1:
            known[fed[0].name] = GradientKnob(fed[0].name, supply, False, fed)
        elif fed:
            several.append(GradientKnob(supply, supply, False, fed))
    if mux is not None:
        for name, magnet in magnets.items():
            if magnet.selection is not None:
                known[name] = GradientKnob(name, mux.supply, True, (magnet,))
    alone = {name: known[name] for name in magnets if name in known}
    meant = [knob for knob in several if knob.name in patterns or not all(m.name in alone for m in knob.magnets)]
    every = alone | {knob.name: knob for knob in meant if knob.name not in alone}
    return tuple(every[name] for name in chosen_names(list(every), patterns, "quadrupole, or supply of quadrupoles,"))


def local_beta_model(lattice: Lattice, knobs: Sequence[GradientKnob], steps: Array | None = None) -> LocalBetaModel:
    """Compute integrated gradients by the change of settings, for steps of these sizes, and beta functions.

    Without `steps` gradients are linear. Raises ProcedureError if the model has no beam.
    """
    ring = lattice.ring
    beam = Propagator(ring, chromatic=False)(lattice)
    if not beam.found:
        raise ProcedureError(f"the model has no beam with the present settings: {beam.reason}")
    gradient, curvature = np.zeros(len(knobs)), np.zeros(len(knobs))
    beta = np.zeros((len(knobs), 2))
    for number, knob in enumerate(knobs):
        step = 1e-3 if steps is None else float(steps[number])
        integrated = np.array(
            [_integrated(lattice.updated(knob.settings(lattice, by)), knob) for by in (-step, 0.0, step)]
        )
        each = (integrated[2] - integrated[0]) / (2.0 * step)
        gradient[number] = each.sum()
        curvature[number] = (integrated[2] - 2.0 * integrated[1] + integrated[0]).sum() / (2.0 * step**2)
        means = np.array([mean_beta(lattice, beam, magnet) for magnet in knob.magnets])
        beta[number] = each @ means / each.sum()
    patterns, by_pattern = _patterns(lattice, knobs)
    return LocalBetaModel(
        knobs=tuple(knob.name for knob in knobs),
        change_unit=ring.property_spec(knobs[0].supply, "current").unit,
        gradient=gradient,
        curvature=curvature,
        s_m=np.array([_centre(lattice, knob.magnets[0]) for knob in knobs]),
        beta_x_m=beta[:, 0],
        beta_y_m=beta[:, 1],
        pattern=patterns,
        tune_by_pattern=by_pattern,
        source=f"model of {ring.name}, lattice {lattice.id}",
    )


def _patterns(lattice: Lattice, knobs: Sequence[GradientKnob]) -> tuple[Array, Array]:
    """Compute orbits (knobs, monitors) [mm/mm] and tunes (2, knobs) [1/mm] by displacements of single quadrupoles."""
    ring, propagate = lattice.ring, Propagator(lattice.ring, chromatic=False)
    at = list(ring.monitors)
    orbits, tunes = np.full((len(knobs), len(at)), np.nan), np.full((2, len(knobs)), np.nan)
    for number, knob in enumerate(knobs):
        if len(knob.magnets) > 1 or (knob.magnets[0].name, "dx") not in ring.properties:
            continue
        key = (knob.magnets[0].name, "dx")
        beams = [propagate(lattice.updated({key: lattice[key] + side * 1e-3 * MOVE_MM})) for side in (1.0, -1.0)]
        if all(beam.found for beam in beams):
            orbits[number] = 1e3 * (beams[0].orbit[at, 0] - beams[1].orbit[at, 0]) / (2.0 * MOVE_MM)
            tunes[:, number] = (beams[0].tune - beams[1].tune) / (2.0 * MOVE_MM)
    return orbits, tunes


def mean_beta(lattice: Lattice, beam: BeamState, magnet: Magnet) -> Array:
    """Mean of both beta functions (2,) [m] along a quadrupole, from those at its entrance and its gradient.

    beta(s) = C^2 beta - 2 C S alpha + S^2 gamma, with the cosine-like and sine-like trajectories C and S.
    """
    k1, length = lattice.strength(magnet), lattice.ring.elements[magnet.element].length
    beta, alpha = beam.beta[magnet.element], beam.alpha[magnet.element]
    if length == 0.0:
        return np.array(beta)
    s = 0.5 * length * (1.0 + NODES)
    means = np.empty(2)
    for plane, focusing in enumerate((k1, -k1)):
        root = np.sqrt(complex(focusing)) if focusing else 1e-9 + 0j
        cosine, sine = np.cos(root * s).real, (np.sin(root * s) / root).real
        gamma = (1.0 + alpha[plane] ** 2) / beta[plane]
        along = cosine**2 * beta[plane] - 2.0 * cosine * sine * alpha[plane] + sine**2 * gamma
        means[plane] = 0.5 * float(WEIGHTS @ along)
    return means


def _integrated(lattice: Lattice, knob: GradientKnob) -> Array:
    """Integrated gradients of a knob's magnets [1/m]."""
    elements = lattice.ring.elements
    return np.array([lattice.strength(m) * (elements[m.element].length or 1.0) for m in knob.magnets])


def _centre(lattice: Lattice, magnet: Magnet) -> float:
    return float(lattice.ring.s[magnet.element] + 0.5 * lattice.ring.elements[magnet.element].length)
