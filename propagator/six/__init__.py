"""The beam in six dimensions: cavities, radiation and equilibrium sizes."""

from gnomon.propagator.six.beam import SixDBeam
from gnomon.propagator.six.envelope import Envelope, envelope
from gnomon.propagator.six.integrals import Radiation, RadiationSummary, radiation_summary
from gnomon.propagator.six.sixd import SixD
from gnomon.propagator.six.sizes import SourcePoint
from gnomon.propagator.six.summary import summary

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
