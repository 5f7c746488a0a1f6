"""Correction of the optics from a fit to a proposal: the fitted model, the response of its beta, what it expects."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice import GnomonError, Lattice
from gnomon.procedures import optics_correction
from gnomon.procedures.bounded import setting_sizes
from gnomon.procedures.correcting import Proposal, changed_settings, expect, limits_of
from gnomon.procedures.device_choice import chosen_names, supplies_that_drive
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.optics_correction import OpticsCorrectionData, OpticsCorrectionParameters
from gnomon.procedures.optics_fit import OpticsFitOutcome, fitted_lattice
from gnomon.propagator import Propagator

__all__ = ["propose_optics"]

Array = NDArray[np.float64]

#: The response is computed so often, each time about what is proposed.
PASSES = 3
#: Change of a current from which the response is computed, relative to the current's size.
DIFFERENCE = 1e-4


def propose_optics(
    lattice: Lattice,
    fit: OpticsFitOutcome,
    parameters: OpticsCorrectionParameters,
    patterns: Sequence[str] = ("*",),
    model: Lattice | None = None,
) -> Proposal:
    """Propose currents of quadrupole supplies that bring beta of the fitted machine to that of the model of the fit.

    Present settings are those of `lattice`; fitted errors are put into `model` (None: `lattice`). Raises
    ProcedureError for a fit of another machine, and if there is no beam.
    """
    ring, model = lattice.ring, lattice if model is None else model
    if fit.monitors != tuple(bpm.name for bpm in ring.bpms):
        raise ProcedureError(f"the monitors of the fit are not those of {ring.name}")
    names = chosen_names(supplies_that_drive(lattice, "k1"), patterns, "power supply of quadrupoles")
    fitted = fitted_lattice(model, fit)
    low, high = limits_of(lattice, names)
    present = np.array([lattice[name, "current"] for name in names])
    wanted, values = fit.beta_m / (1.0 + fit.beating), present
    first: Array | None = None
    for _ in range(PASSES):
        beating, response = _response(fitted, names, present, values, wanted, low, high)
        first = beating if first is None else first
        data = OpticsCorrectionData(
            supplies=names,
            setting_unit=ring.property_spec(names[0], "current").unit,
            monitors=fit.monitors,
            present=first,
            beating=beating - response @ (values - present),
            response=response,
            settings=present,
            low=low,
            high=high,
        )
        outcome = optics_correction.analyse(data, parameters)
        values = outcome.proposed
    keys = {(name, "current"): float(value) for name, value in zip(names, values, strict=True)}
    settings = changed_settings(lattice, keys)
    return Proposal("optics", data, parameters, outcome, settings, expect(lattice, settings, fitted), fitted)


def _response(
    fitted: Lattice, names: Sequence[str], present: Array, values: Array, wanted: Array, low: Array, high: Array
) -> tuple[Array, Array]:
    """Compute the beating (2, monitors) at currents `values`, and its derivatives by them."""
    propagate, places = Propagator(fitted.ring), list(fitted.ring.monitors)

    def beta(at: Array) -> Array:
        changes = {
            (name, "current"): fitted[name, "current"] + float(value - now)
            for name, value, now in zip(names, at, present, strict=True)
        }
        try:
            beam = propagate(fitted.updated(changes))
        except GnomonError as error:
            raise ProcedureError(f"the fitted model cannot take these currents: {error}") from error
        if not beam.found:
            raise ProcedureError(f"the fitted model has no beam: {beam.reason}")
        found: Array = beam.beta[places].T.copy()
        return found

    here = beta(values)
    response = np.empty((*here.shape, len(names)))
    steps = DIFFERENCE * setting_sizes(values, low, high)
    steps = np.where(values + steps > high, -steps, steps)
    for number, step in enumerate(steps):
        moved = values.copy()
        moved[number] += step
        response[:, :, number] = (beta(moved) - here) / wanted / step
    return here / wanted - 1.0, response
