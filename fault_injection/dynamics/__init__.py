"""Dynamics of an imperfect machine, pure: states and times in, states out. Nobody here knows clocks or servers."""

from gnomon.fault_injection.dynamics.drifts import Drifts
from gnomon.fault_injection.dynamics.hysteresis import Hysteresis
from gnomon.fault_injection.dynamics.monitor_noise import MonitorNoise
from gnomon.fault_injection.dynamics.supplies import SupplyDynamics, SupplyState
from gnomon.fault_injection.dynamics.supply_effects import SupplyEffects, combined_effects, fitting

__all__ = [
    "Drifts",
    "Hysteresis",
    "MonitorNoise",
    "SupplyDynamics",
    "SupplyEffects",
    "SupplyState",
    "combined_effects",
    "fitting",
]
