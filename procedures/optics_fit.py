"""Optics from closed orbits: the gradients, skew gradients, gains and rolls that explain a measured response. Pure.

The orbit response and the dispersion, as readings per RF frequency, are fitted by Gauss-Newton steps with priors: the
sum of squares is that of all readings in units of their errors, and of all knobs in units of their priors' widths. (The
method is known as LOCO: J. Safranek, NIM A 388 (1997) 27; with priors its regularisation has a stated meaning.)
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from gnomon.lattice import GnomonError, Key, Lattice, MonitorErrors, Ring, parse_machine
from gnomon.procedures.documents import Data, Floats, Outcome, Parameters, Part, quantity
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.optics_model import (
    MagnetKnobs,
    Optics,
    OpticsModel,
    feed_down_knobs,
    gradient_knobs,
    skew_knobs,
)

__all__ = [
    "ModelSettings",
    "OpticsFitData",
    "OpticsFitOutcome",
    "OpticsFitParameters",
    "analyse",
    "fitted_lattice",
    "settings_of",
]

Array = NDArray[np.float64]

#: Errors of readings below this part of the largest reading count as this part: rounding.
ROUNDING = 1e-9
#: A step that lowers the sum of squares by a smaller part is the last.
DONE = 1e-4
#: A step that does not lower it is halved this often.
HALVINGS = 6


class ModelSettings(Part):
    """A model by its machine document, as text, and the settings that are not nominal: device, property, value."""

    document: str
    changed: tuple[tuple[str, str, float], ...] = ()

    def lattice(self) -> Lattice:
        """Build the lattice. Raises DocumentError and LatticeError."""
        changes: dict[Key, float] = {(device, name): value for device, name, value in self.changed}
        nominal = Ring(parse_machine(self.document, "the document of the fit")).nominal
        return nominal.updated(changes) if changes else nominal


def settings_of(lattice: Lattice) -> ModelSettings:
    """Return the document and the changed settings of a lattice."""
    changed = tuple(
        (*key, float(lattice[key]))
        for key, spec in lattice.ring.properties.items()
        if spec.slot is not None and spec.setting == spec.property and lattice[key] != spec.nominal
    )
    return ModelSettings(document=lattice.ring.document.model_dump_json(by_alias=True), changed=changed)


class OpticsFitData(Data):
    """Measured orbit response and dispersion with their standard deviations; NaN is left out."""

    steerers: tuple[str, ...]
    setting_unit: str = "A"
    monitors: tuple[str, ...]
    x: Floats = quantity("mm/{setting_unit}", "monitors", "steerers")
    y: Floats = quantity("mm/{setting_unit}", "monitors", "steerers")
    x_error: Floats = quantity("mm/{setting_unit}", "monitors", "steerers")
    y_error: Floats = quantity("mm/{setting_unit}", "monitors", "steerers")
    dispersion: Floats = quantity("mm/kHz", "plane", "monitors", description="change of the readings with RF frequency")
    dispersion_error: Floats = quantity("mm/kHz", "plane", "monitors")
    sources: tuple[str, ...] = Field(default=(), description="names of the results that these values come from")


class OpticsFitParameters(Parameters):
    """Parameters of the fit: the model from which it starts, and the priors' widths (standard deviations).

    `gradient`: of a quadrupole, relative, or with `by_supply` of all quadrupoles of a supply; `skew` [1/m^2];
    `feed_down_mm`: of the beam's distance from the centres of sextupoles; gains relative, rolls in rad.
    """

    model: ModelSettings
    by_supply: bool = False
    gradient: float = Field(default=3e-3, gt=0.0)
    skew: float = Field(default=5e-3, gt=0.0)
    feed_down_mm: float = Field(default=0.1, gt=0.0)
    monitor_gain: float = Field(default=0.05, gt=0.0)
    monitor_roll: float = Field(default=0.02, gt=0.0)
    steerer_gain: float = Field(default=0.05, gt=0.0)
    steerer_roll: float = Field(default=0.02, gt=0.0)
    steps: int = Field(default=6, ge=1, le=50)


class OpticsFitOutcome(Outcome):
    """Fitted errors with standard deviations, and the optics with them.

    Standard deviations are those of the posterior, times sqrt(chi^2 / degrees of freedom) where that is above 1.
    `beating` is (fitted - model) / model of beta in x and y.
    """

    quadrupoles: tuple[str, ...]
    knobs: tuple[str, ...] = Field(description="quadrupoles, or supplies, whose gradient is a knob")
    sextupoles: tuple[str, ...]
    monitors: tuple[str, ...]
    steerers: tuple[str, ...]
    gradient: Floats = quantity("", "knobs", description="relative change of the gradient")
    gradient_error: Floats = quantity("", "knobs")
    skew: Floats = quantity("1/m^2", "quadrupoles")
    skew_error: Floats = quantity("1/m^2", "quadrupoles")
    feed_down_mm: Floats = quantity("mm", "plane", "sextupoles", description="displacement with the fitted feed-down")
    feed_down_error_mm: Floats = quantity("mm", "plane", "sextupoles")
    monitor_gain: Floats = quantity("", "plane", "monitors")
    monitor_gain_error: Floats = quantity("", "plane", "monitors")
    monitor_roll: Floats = quantity("rad", "monitors")
    monitor_roll_error: Floats = quantity("rad", "monitors")
    steerer_gain: Floats = quantity("", "steerers")
    steerer_gain_error: Floats = quantity("", "steerers")
    steerer_roll: Floats = quantity("rad", "steerers")
    steerer_roll_error: Floats = quantity("rad", "steerers")
    beta_m: Floats = quantity("m", "plane", "monitors")
    beating: Floats = quantity("", "plane", "monitors")
    beating_error: Floats = quantity("", "plane", "monitors")
    tune: Floats = quantity("", "plane")
    settings: tuple[tuple[str, str, float], ...] = Field(description="settings that give a model the fitted errors")
    residual_before: float = Field(description="rms of readings in units of their errors, before the fit")
    residual: float = Field(description="the same after the fit; 1 if the model explains all but noise")
    steps: int
    converged: bool


def analyse(data: OpticsFitData, parameters: OpticsFitParameters) -> OpticsFitOutcome:
    """Fit the model. Raises ProcedureError for data of another machine, and without a beam of the model."""
    fit = _Fit.of(data, parameters)
    u, (optics, cost), steps, done = fit.start, fit.evaluate(fit.start), 0, False
    if optics is None:
        raise ProcedureError("the model has no beam from which to start")
    first = optics
    while steps < parameters.steps and not done:
        steps += 1
        normal, gradient, _ = fit.normal(u, optics)
        change = -cho_solve(_factor(normal), gradient)
        for _ in range(HALVINGS):
            trial, trial_cost = fit.evaluate(u + change)
            if trial is not None and trial_cost < cost:
                break
            change = 0.5 * change
        if trial is None or trial_cost >= cost:
            done = True
            break
        done = cost - trial_cost < DONE * cost
        u, optics, cost = u + change, trial, trial_cost
    normal, _, beta = fit.normal(u, optics)
    factor = _factor(normal)
    covariance = cho_solve(factor, np.eye(len(normal)))
    # Prior and readings together have as many rows beyond the knobs as there are readings.
    scale = np.sqrt(max(1.0, cost / fit.count))
    errors = scale * np.sqrt(np.diag(covariance))
    magnets = fit.magnets
    beating = (beta @ covariance[:magnets, :magnets] * beta).sum(axis=1)
    value, error = fit.split(u), fit.split(errors)
    names = [kind.names for kind in fit.model.knobs]
    return OpticsFitOutcome(
        knobs=names[0],
        quadrupoles=names[1],
        sextupoles=names[2],
        monitors=data.monitors,
        steerers=data.steerers,
        gradient=value[0],
        gradient_error=error[0],
        skew=value[1],
        skew_error=error[1],
        feed_down_mm=np.array(value[2:4]),
        feed_down_error_mm=np.array(error[2:4]),
        monitor_gain=value[4].reshape(2, -1),
        monitor_gain_error=error[4].reshape(2, -1),
        monitor_roll=value[5],
        monitor_roll_error=error[5],
        steerer_gain=value[6],
        steerer_gain_error=error[6],
        steerer_roll=value[7],
        steerer_roll_error=error[7],
        beta_m=optics.beta,
        beating=optics.beta / first.beta - 1.0,
        beating_error=scale * np.sqrt(beating).reshape(2, -1) / first.beta,
        tune=optics.tune,
        settings=tuple((*key, value) for key, value in fit.model.settings(u[:magnets]).items()),
        residual_before=float(np.sqrt(fit.squares(fit.start, first) / fit.count)),
        residual=float(np.sqrt(fit.squares(u, optics) / fit.count)),
        steps=steps,
        converged=done,
    )


def fitted_lattice(lattice: Lattice, outcome: OpticsFitOutcome) -> Lattice:
    """Return a lattice with the fitted errors of magnets."""
    return lattice.updated({(device, name): value for device, name, value in outcome.settings})


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """A fit: knobs `u` are those of magnets, then gains and rolls of monitors and of steerers."""

    model: OpticsModel
    magnets: int
    sizes: tuple[int, ...]
    start: Array
    widths: Array
    measured: Array
    weights: Array
    count: int

    @classmethod
    def of(cls, data: OpticsFitData, p: OpticsFitParameters) -> "_Fit":
        lattice = p.model.lattice()
        if data.monitors != tuple(bpm.name for bpm in lattice.ring.bpms):
            raise ProcedureError(f"the monitors of the measured response are not those of {lattice.ring.name}")
        kinds: list[MagnetKnobs] = [
            gradient_knobs(lattice, p.gradient, p.by_supply),
            skew_knobs(lattice, p.skew),
            *(feed_down_knobs(lattice, plane, p.feed_down_mm) for plane in "xy"),
        ]
        monitors, steerers, known = len(data.monitors), len(data.steerers), lattice.monitor_errors()
        sizes = [len(kind.names) for kind in kinds]
        magnets = sum(sizes)
        sizes += [2 * monitors, monitors, steerers, steerers]
        widths = [kind.width for kind in kinds] + [p.monitor_gain, p.monitor_roll, p.steerer_gain, p.steerer_roll]
        start = [np.zeros(magnets), known.gains.T.ravel(), known.rolls, np.ones(steerers), np.zeros(steerers)]
        measured = np.concatenate((np.array([data.x, data.y]), data.dispersion[:, :, None]), axis=2)
        errors = np.concatenate((np.array([data.x_error, data.y_error]), data.dispersion_error[:, :, None]), axis=2)
        valid = np.isfinite(measured) & np.isfinite(errors)
        if not valid.any():
            raise ProcedureError("no reading with an error is left to fit")
        floor = ROUNDING * np.abs(measured[valid]).max()
        weights = np.where(valid, 1.0 / np.maximum(np.where(valid, errors, 1.0), floor), 0.0)
        return cls(
            OpticsModel(lattice, data.steerers, kinds), magnets, tuple(sizes), np.concatenate(start),
            np.repeat(widths, sizes), np.where(valid, measured, 0.0), weights, int(valid.sum()),
        )  # fmt: skip

    def split(self, u: Array) -> list[Array]:
        """Split the knobs by kind."""
        return np.split(u, np.cumsum(self.sizes)[:-1])

    def evaluate(self, u: Array) -> tuple[Optics | None, float]:
        """Return the optics with these knobs, and the sum of squares; None and infinite without a beam."""
        try:
            optics = self.model.optics(self.model.changed(u[: self.magnets]))
        except GnomonError:
            return None, np.inf
        return optics, self.squares(u, optics) + float((((u - self.start) / self.widths) ** 2).sum())

    def squares(self, u: Array, optics: Optics) -> float:
        """Sum the squares of the readings' differences in units of their errors."""
        return float(((self.weights * (self.predicted(u, optics) - self.measured)) ** 2).sum())

    def beam(self, u: Array, optics: Optics) -> Array:
        """Return the changes of the orbit itself (2, monitors, steerers and RF frequency)."""
        gain, roll = self.split(u)[6:8]
        return np.concatenate((optics.response * gain + optics.rolled * roll, optics.dispersion[:, :, None]), axis=2)

    def seen(self, u: Array, changes: Array) -> Array:
        """Return what the monitors show of changes of the orbit."""
        gains, rolls = self.split(u)[4:6]
        gains = gains.reshape(2, -1)
        errors = MonitorErrors(np.zeros_like(gains.T), gains.T, rolls, ideal=False)
        return np.array(errors.changes(changes[0], changes[1]))

    def predicted(self, u: Array, optics: Optics) -> Array:
        """Return the readings that the model expects."""
        return self.seen(u, self.beam(u, optics))

    def normal(self, u: Array, optics: Optics) -> tuple[Array, Array, Array]:
        """Return the normal matrix and the gradient, priors included, and d(beta)/d(magnets' knobs)."""
        predicted, base = self.predicted(u, optics), self.beam(u, optics)
        dense, beta = np.empty((predicted.size, self.magnets)), np.empty((optics.beta.size, self.magnets))
        for number, moved, step in self.model.derivatives(u[: self.magnets]):
            change = self.seen(u, (self.beam(u, moved) - base) / step)
            dense[:, number] = (self.weights * change).ravel()
            beta[:, number] = (moved.beta - optics.beta).ravel() / step
        rest = self._gains(u, optics, predicted)
        cross = rest.T @ dense
        normal = np.block([[dense.T @ dense, cross.T], [cross, (rest.T @ rest).toarray()]])
        normal[np.diag_indices_from(normal)] += self.widths**-2.0
        residual = (self.weights * (predicted - self.measured)).ravel()
        gradient = np.concatenate((dense.T @ residual, rest.T @ residual)) + (u - self.start) / self.widths**2
        return normal, gradient, beta

    def _gains(self, u: Array, optics: Optics, predicted: Array) -> sparse.csr_matrix:
        """Return the weighted derivatives by gains and rolls, of which most are zero."""
        _, monitors, columns = predicted.shape
        rows = np.arange(predicted.size).reshape(predicted.shape)
        gains = self.split(u)[4].reshape(2, -1)
        per_gain = predicted / gains[:, :, None]
        turned = np.array([gains[0][:, None] * per_gain[1], -gains[1][:, None] * per_gain[0]])
        by_monitor = np.broadcast_to(np.arange(monitors)[None, :, None], predicted.shape)
        by_plane = by_monitor + monitors * np.arange(2)[:, None, None]
        steerers = columns - 1
        by_steerer = np.broadcast_to(np.arange(steerers), (2, monitors, steerers))
        seen = [self.seen(u, each) for each in (optics.response, optics.rolled)]
        parts = (
            (per_gain, rows, by_plane),
            (turned, rows, by_monitor + 2 * monitors),
            (seen[0], rows[:, :, :-1], by_steerer + 3 * monitors),
            (seen[1], rows[:, :, :-1], by_steerer + 3 * monitors + steerers),
        )
        values = np.concatenate([(v * self.weights.ravel()[r]).ravel() for v, r, _ in parts])
        at = tuple(np.concatenate([part[k].ravel() for part in parts]) for k in (1, 2))
        return sparse.csr_matrix((values, at), shape=(predicted.size, 3 * monitors + 2 * steerers))


def _factor(normal: Array) -> tuple[Array, bool]:
    try:
        factor: tuple[Array, bool] = cho_factor(normal)
    except LinAlgError as error:
        raise ProcedureError(f"the fit is not determined, give narrower priors: {error}") from error
    return factor
