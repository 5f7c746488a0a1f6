"""The beam in six dimensions: cavities, radiation and equilibrium sizes."""

from gnomon.propagator.six.envelope import Envelope, envelope
from gnomon.propagator.six.radiation_integrals import Radiation, RadiationSummary, radiation_summary
from gnomon.propagator.six.six_beam import SixDBeam
from gnomon.propagator.six.six_search import SixD
from gnomon.propagator.six.six_summary import summary
from gnomon.propagator.six.source_size import SourcePoint

__all__ = [
    "Envelope",
    "Radiation",
    "RadiationSummary",
    "SixD",
    "SixDBeam",
    "SourcePoint",
    "envelope",
    "radiation_summary",
    "summary",
]
