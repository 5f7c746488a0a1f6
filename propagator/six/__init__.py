"""Six dimensions: cavities, radiation, and the beam's equilibrium sizes."""

from gnomon.propagator.six.beam import SixDBeam
from gnomon.propagator.six.sixd import SixD

__all__ = ["SixD", "SixDBeam"]
