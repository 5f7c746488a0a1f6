"""Summary of a lattice's beam in numbers, for the command line and for process variables."""

from gnomon.lattice import Lattice
from gnomon.lattice.units import SPEED_OF_LIGHT
from gnomon.propagator.propagator import Propagator
from gnomon.propagator.six.envelope import envelope
from gnomon.propagator.six.radiation_integrals import radiation_summary
from gnomon.propagator.six.six_search import SixD


def summary(lattice: Lattice, voltage_v: float | None = None) -> dict[str, float]:
    """Compute synchrotron motion, radiation and beam sizes (at the ring's start), each with its unit in its name.

    Quantities that do not exist are NaN; `SixD` and `radiation_summary` give the reasons. "uncoupled" numbers come from
    radiation integrals, the others from six-dimensional tracking and its envelope. `voltage_v` and errors are as in
    `Cavities`.
    """
    uncoupled = radiation_summary(lattice, Propagator(lattice.ring)(lattice), voltage_v)
    beam, found = envelope(SixD(lattice.ring, voltage_v), lattice)
    turns_per_s = SPEED_OF_LIGHT / lattice.ring.circumference
    sizes = found.sizes[0]
    numbers = {
        "cavity_voltage_v": beam.voltage_v,
        "synchronous_phase_rad": beam.synchronous_phase_rad,
        "energy_loss_per_turn_ev": beam.energy_loss_ev,
        "synchrotron_tune": beam.tunes[2],
        "synchrotron_frequency_hz": beam.tunes[2] * turns_per_s,
        "momentum_deviation": beam.orbit[0, 4],
        "energy_spread": sizes[4],
        "bunch_length_m": sizes[5],
        "beam_size_x_m": sizes[0],
        "beam_size_y_m": sizes[2],
        "uncoupled_emittance_x_m": uncoupled.emittance_m,
        "uncoupled_energy_spread": uncoupled.energy_spread,
        "uncoupled_bunch_length_m": uncoupled.bunch_length_m,
        "uncoupled_synchrotron_tune": uncoupled.synchrotron_tune,
        "uncoupled_momentum_compaction": uncoupled.momentum_compaction,
    }
    for k, plane in enumerate(("x", "y", "s")):
        numbers[f"tune_{plane}"] = beam.tunes[k]
        numbers[f"emittance_{plane}_m"] = found.emittances_m[k]
        numbers[f"damping_time_{plane}_s"] = 1.0 / (beam.damping_rates[k] * turns_per_s)
        numbers[f"damping_partition_{plane}"] = uncoupled.partition[k]
    for k, integral in enumerate(uncoupled.integrals, 1):
        power = {1: "m", 2: "per_m", 3: "per_m2", 4: "per_m", 5: "per_m"}[k]
        numbers[f"radiation_integral_{k}_{power}"] = integral
    return {name: float(value) for name, value in numbers.items()}
