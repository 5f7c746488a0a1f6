"""Losses over a region of working points, and the resonances that explain them. Pure.

The rate of losses is taken as a constant and a Gaussian in the distance from each resonance line, m Qx + n Qy - p, of
one width for all. Lines are added one after the other as long as they explain more than chance does; of two that
explain the same, the one of lower order counts.
"""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gnomon.lattice import ResonanceLine, resonance_lines
from gnomon.procedures.documents import Data, Floats, Number, Outcome, Parameters, quantity
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.loss_rates import fit_loss_rates

__all__ = ["LossMapData", "LossMapOutcome", "LossMapParameters", "analyse"]

Array = NDArray[np.float64]

#: Trial widths, standard deviations of m Qx + n Qy.
WIDTHS = np.geomspace(5e-4, 3e-2, 37)
#: Part by which rates may differ from the sum of Gaussians, and part of the lowest one by which all may.
SHAPE, BASE = 0.2, 0.5
#: A line must lower the sum of squares by this much, and by as much more for each order.
GAIN, GAIN_PER_ORDER = 12.0, 3.0
#: Most lines that are looked for.
MAX_LINES = 12
#: Fits of the width after all lines were found.
REFINEMENTS = 3
#: A point has losses if its rate is above the base by this many times its uncertainty.
NOTICED = 5.0


class LossMapData(Data):
    """Tunes with their integer part, and currents, at points of a region, in the order in which they were visited.

    Samples belong to a point. A point at which the beam was lost has `lost` 1, and NaN for tunes that were not seen.
    """

    supplies: tuple[str, ...]
    setting_unit: str = "A"
    wanted_x: Floats = quantity("", "point")
    wanted_y: Floats = quantity("", "point")
    tune_x: Floats = quantity("", "point", description="measured, with the model's integer part")
    tune_y: Floats = quantity("", "point", description="measured, with the model's integer part")
    lost: Floats = quantity("", "point", description="1 if the beam was lost")
    settings: Floats = quantity("{setting_unit}", "point", "supplies")
    sample_point: Floats = quantity("", "row", description="number of the point, from 0")
    sample_time_s: Floats = quantity("s", "row", description="time stamp of the reading since the first one")
    current_ma: Floats = quantity("mA", "row")
    injections: int = Field(default=0, description="how often a lost beam was injected again")
    end: str = Field(default="", description="reason why the map ended before its last point")


class LossMapParameters(Parameters):
    """Parameters of the analysis."""

    max_order: int = Field(default=4, description="highest order of resonances that are tried")
    tune_error: float = Field(default=2e-5, description="standard deviation of a measured tune")
    resolution_ma: float = Field(default=0.0, description="smallest step of the current that the monitor shows")


class LossMapOutcome(Outcome):
    """Rates of losses at the points, and the resonances that explain them, the strongest first."""

    tune_x: Floats = quantity("", "point", description="measured; where the beam was lost, what was wanted")
    tune_y: Floats = quantity("", "point", description="measured; where the beam was lost, what was wanted")
    lost: Floats = quantity("", "point", description="1 if the beam was lost")
    rate: Floats = quantity("1/s", "point", description="-d(ln I)/dt; NaN where the beam was lost at once")
    rate_error: Floats = quantity("1/s", "point")
    rate_fitted: Floats = quantity("1/s", "point", description="rate of the base and the resonances")
    base_rate: float = Field(description="rate of losses away from all resonances [1/s]")
    has_losses: Floats = quantity("", "point", description="1 where the rate is above the base, or the beam was lost")
    explained_by: Floats = quantity("", "point", description="index of the resonance with most of the losses; or -1")
    resonances: tuple[str, ...] = Field(description="the resonances as text, as in 2 Qx - Qy = 29")
    m: Floats = quantity("", "resonances", description="m of m Qx + n Qy = p")
    n: Floats = quantity("", "resonances", description="n of m Qx + n Qy = p")
    p: Floats = quantity("", "resonances", description="p of m Qx + n Qy = p")
    order: Floats = quantity("", "resonances", description="|m| + |n|")
    resonance_rate: Floats = quantity("1/s", "resonances", description="rate of losses on the line")
    resonance_rate_error: Floats = quantity("1/s", "resonances")
    width: Number = Field(description="standard deviation of m Qx + n Qy; NaN without resonances")
    unexplained: int = Field(description="points with losses that no resonance explains")
    end: str


def analyse(data: LossMapData, parameters: LossMapParameters) -> LossMapOutcome:
    """Find the resonances. Raises ProcedureError if no point has both tunes and a rate of losses."""
    count = len(data.wanted_x)
    rate, error = fit_loss_rates(
        data.sample_point, count, data.sample_time_s, data.current_ma, parameters.resolution_ma
    )
    used = np.isfinite(rate) & np.isfinite(data.tune_x) & np.isfinite(data.tune_y)
    if not used.any():
        raise ProcedureError("no point has tunes and a rate of losses")
    x = np.where(np.isfinite(data.tune_x), data.tune_x, data.wanted_x)
    y = np.where(np.isfinite(data.tune_y), data.tune_y, data.wanted_y)
    search = _Search(x[used], y[used], rate[used], error[used], parameters)
    search.run()
    base, factors = search.factors[0], search.factors[1:]
    strongest = np.argsort(-factors, kind="stable")
    lines = [search.lines[number] for number in strongest]
    each = _gaussians(lines, x, y, search.width) * factors[strongest]
    fitted = base + each.sum(axis=1)
    over = rate - base
    losses = (data.lost > 0.0) | (over > NOTICED * np.hypot(np.where(np.isfinite(error), error, 0.0), BASE * base))
    explained = np.full(count, -1.0)
    if lines:
        most = each.argmax(axis=1)
        enough = each[np.arange(count), most] > np.where(np.isfinite(over), 0.3 * over, base)
        explained[losses & enough] = most[losses & enough]
    return LossMapOutcome(
        tune_x=x,
        tune_y=y,
        lost=data.lost,
        rate=rate,
        rate_error=error,
        rate_fitted=fitted,
        base_rate=float(base),
        has_losses=losses.astype(float),
        explained_by=explained,
        resonances=tuple(map(str, lines)),
        m=np.array([line.m for line in lines], dtype=float),
        n=np.array([line.n for line in lines], dtype=float),
        p=np.array([line.p for line in lines], dtype=float),
        order=np.array([line.order for line in lines], dtype=float),
        resonance_rate=factors[strongest],
        resonance_rate_error=search.errors()[strongest],
        width=search.width if lines else np.nan,
        unexplained=int((losses & (explained < 0.0)).sum()),
        end=data.end,
    )


def _gaussians(lines: list[ResonanceLine], x: Array, y: Array, width: float) -> Array:
    """Return the losses (points, lines) on resonances of rate 1."""
    distance = np.array([line.m * x + line.n * y - line.p for line in lines]).reshape(len(lines), len(x)).T
    losses: Array = np.exp(-0.5 * (distance / width) ** 2)
    return losses


class _Search:
    """Forward selection of lines; `factors` are the rates of the base and of the lines found so far."""

    def __init__(self, x: Array, y: Array, rate: Array, error: Array, parameters: LossMapParameters) -> None:
        self.x, self.y, self.rate = x, y, rate
        lowest = max(float(np.quantile(rate, 0.1)), 0.0)
        self.fixed = np.maximum(np.hypot(error, BASE * lowest), 1e-12)
        self.tune_error = parameters.tune_error
        self.spread = np.hypot(self.fixed, SHAPE * rate)
        room = 2.0 * float(WIDTHS[-1])
        self.candidates = list(
            resonance_lines(
                (float(x.min()) - room, float(x.max()) + room),
                (float(y.min()) - room, float(y.max()) + room),
                parameters.max_order,
            )
        )
        self.lines: list[ResonanceLine] = []
        self.width = float("nan")
        self.factors, self.squares = self._fit([], 1.0)

    def run(self) -> None:
        """Add lines as long as they explain more than chance does."""
        while len(self.lines) < MAX_LINES:
            trials = [
                (line, width, *self._fit([*self.lines, line], width))
                for line in self.candidates
                if line not in self.lines
                for width in WIDTHS
            ]
            gains = [self.squares - squares - GAIN - GAIN_PER_ORDER * line.order for line, _, _, squares in trials]
            if not gains or max(gains) <= 0.0:
                break
            line, self.width, self.factors, self.squares = trials[int(np.argmax(gains))]
            self.lines.append(line)
        self._drop_needless()
        self._refine()

    def errors(self) -> Array:
        """Return the standard deviations of the lines' rates."""
        if not self.lines:
            return np.zeros(0)
        design = self._design(self.lines, self.width) / self.spread[:, None]
        errors: Array = np.sqrt(np.diag(np.linalg.pinv(design.T @ design)))[1:]
        return errors

    def _drop_needless(self) -> None:
        """Leave out lines that later ones explain."""
        for line in list(self.lines):
            others = [each for each in self.lines if each != line]
            fits = [(*self._fit(others, width), width) for width in (WIDTHS if others else (1.0,))]
            factors, squares, width = min(fits, key=lambda fit: fit[1])
            if squares - self.squares < GAIN + GAIN_PER_ORDER * line.order:
                self.lines, self.factors, self.squares, self.width = others, factors, squares, float(width)

    def _refine(self) -> None:
        """Find the width between the trial ones, with spreads that follow from the fit and not from single readings."""
        from scipy.optimize import minimize_scalar

        for _ in range(REFINEMENTS if self.lines else 0):
            fitted = self._design(self.lines, self.width) @ self.factors
            # On the flank of a line, an error of the tune changes the rate by as much of itself as of the width.
            relative = np.hypot(SHAPE, self.tune_error * max(line.order for line in self.lines) / self.width)
            self.spread = np.hypot(self.fixed, relative * fitted)
            around = minimize_scalar(
                lambda log_width: self._fit(self.lines, float(np.exp(log_width)))[1],
                bounds=(np.log(self.width) - 0.3, np.log(self.width) + 0.3),
                method="bounded",
            )
            self.width = float(np.exp(around.x))
            self.factors, self.squares = self._fit(self.lines, self.width)

    def _design(self, lines: list[ResonanceLine], width: float) -> Array:
        return np.column_stack((np.ones_like(self.x), _gaussians(lines, self.x, self.y, width)))

    def _fit(self, lines: list[ResonanceLine], width: float) -> tuple[Array, float]:
        from scipy.optimize import nnls

        factors, norm = nnls(self._design(lines, width) / self.spread[:, None], self.rate / self.spread)
        return factors, float(norm) ** 2
