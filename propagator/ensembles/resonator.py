"""A broad-band resonator: the wake of particles ahead decelerates those behind them in the bunch."""

from gnomon.propagator.compiled import Floats
from gnomon.propagator.ensembles.tracking_errors import checked_count, checked_number
from gnomon.propagator.ensembles.wake import Resonance, bunch_wake


class Resonator:
    """A collective step whose longitudinal wake acts within one turn; the ensemble is one bunch.

    `frequency_hz`, `shunt_impedance_ohm` (V^2 / 2P) and `quality` (above 0.5) define the resonance, `bunch_charge_c`
    and `energy_ev` the bunch. The charge is divided among the particles present in the first turn; lost particles take
    theirs away. Raises TrackingError for bad values, and during tracking for a bunch too long for its `bins`.
    """

    def __init__(
        self,
        frequency_hz: float,
        shunt_impedance_ohm: float,
        quality: float,
        *,
        bunch_charge_c: float,
        energy_ev: float,
        bins: int = 200,
    ) -> None:
        self.resonance = Resonance(frequency_hz, shunt_impedance_ohm, quality)
        self.bunch_charge_c = checked_number("bunch charge", bunch_charge_c, "C", 0.0, 1.0)
        self.energy_ev = checked_number("energy", energy_ev, "eV", 1.0, 1e18)
        self.bins = checked_count("bins", bins, 2, 100_000)
        self._particles = 0

    def act(self, coordinates: Floats, turn: int) -> None:
        """Decelerate the particles (6, n)."""
        self._particles = self._particles or coordinates.shape[1]
        voltage = bunch_wake(self.resonance, coordinates[5], self.bunch_charge_c / self._particles, self.bins)
        coordinates[4] -= voltage / self.energy_ev
