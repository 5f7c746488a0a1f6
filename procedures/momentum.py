"""Momentum deviation that follows from a change of the RF frequency, and fits of readings by it. Pure."""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gnomon.procedures.documents import Floats, Part, quantity
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.linear_fit import fit_polynomials

__all__ = ["Momentum"]


class Momentum(Part):
    """Momentum deviation delta = sum of coefficients[k] (f/f0 - 1)^(k+1), f0 being `rf_hz`, and where it comes from."""

    rf_hz: float
    coefficients: Floats = quantity("", "order")
    source: str = ""
    relative_error: float = Field(default=0.0, description="of the momentum compaction: a common factor of all results")

    def deviation(self, rf_hz: Floats) -> NDArray[np.float64]:
        """Return the momentum deviation at RF frequencies."""
        change = rf_hz / self.rf_hz - 1.0
        powers = change[:, None] ** np.arange(1, len(self.coefficients) + 1)
        deviation: NDArray[np.float64] = powers @ self.coefficients
        return deviation

    def fit(self, rf_hz: Floats, readings: Floats, degree: int) -> tuple[Floats, Floats, Floats, float]:
        """Fit polynomials of the momentum deviation to readings (rows, m), as `fit_polynomials` does.

        Return coefficients, errors, noise, and the span of the deviation. Raises ProcedureError for too few
        frequencies.
        """
        distinct = np.unique(rf_hz).size
        if degree < 1 or distinct <= degree:
            raise ProcedureError(f"degree {degree} needs more than {distinct} different RF frequencies")
        delta = self.deviation(rf_hz)
        return *fit_polynomials(delta, readings, degree), float(np.ptp(delta))
