"""First derivatives of orbit and optics in closed form: the effect of small changes, without making them."""

from gnomon.propagator.derivatives.kick_derivatives import kick_response
from gnomon.propagator.derivatives.linear_turn import NoDerivative
from gnomon.propagator.derivatives.local_derivatives import LocalResponse, local_response
from gnomon.propagator.derivatives.optics_derivatives import (
    OpticsResponse,
    TuneResponse,
    chromaticity_response,
    optics_response,
    tune_response,
)
from gnomon.propagator.derivatives.orbit_derivatives import (
    OrbitResponse,
    frequency_response,
    misalignment_response,
    orbit_response,
)
from gnomon.propagator.derivatives.supply_derivatives import SupplyResponse, fed_by, supplies_of, supply_response

__all__ = [
    "LocalResponse",
    "NoDerivative",
    "OpticsResponse",
    "OrbitResponse",
    "SupplyResponse",
    "TuneResponse",
    "chromaticity_response",
    "fed_by",
    "frequency_response",
    "kick_response",
    "local_response",
    "misalignment_response",
    "optics_response",
    "orbit_response",
    "supplies_of",
    "supply_response",
    "tune_response",
]
