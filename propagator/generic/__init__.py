"""A propagator for any type of number: floats, arrays of particles, power series and symbols.

`preprocessor` turns a lattice into a program, `processor` runs a phase space through it, `postprocessor` collects the
results that were asked for. `element_physics` describes each element, once. Symbols are in `generic.symbols`, which
needs sympy.
"""

from gnomon.propagator.generic import power_series
from gnomon.propagator.generic.closed_orbit import closed_orbit
from gnomon.propagator.generic.generic_errors import KnobError, ProgramError, PropagationError, SeriesError
from gnomon.propagator.generic.normal_form import program_tune_shift, tune_shift_with_amplitude
from gnomon.propagator.generic.one_turn import OneTurnMap, one_turn_map
from gnomon.propagator.generic.postprocessor import Everywhere, Losses, Observer, OrbitAtMonitors, TurnByTurn
from gnomon.propagator.generic.power_series import TpsSpace, TruncatedPowerSeries
from gnomon.propagator.generic.preprocessor import Program
from gnomon.propagator.generic.processor import propagate
from gnomon.propagator.physics.element_physics import describes
from gnomon.propagator.physics.number_types import register_number
from gnomon.propagator.physics.phase_space import PhaseSpace

register_number(TruncatedPowerSeries, power_series)

__all__ = [
    "Everywhere",
    "KnobError",
    "Losses",
    "Observer",
    "OneTurnMap",
    "OrbitAtMonitors",
    "PhaseSpace",
    "Program",
    "ProgramError",
    "PropagationError",
    "SeriesError",
    "TpsSpace",
    "TruncatedPowerSeries",
    "TurnByTurn",
    "closed_orbit",
    "describes",
    "one_turn_map",
    "program_tune_shift",
    "propagate",
    "register_number",
    "tune_shift_with_amplitude",
]
