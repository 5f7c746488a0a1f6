"""Dynamics of an imperfect machine, pure: states and times in, states out. Nobody here knows clocks or servers."""

from gnomon.fault_injection.dynamics.hysteresis import Hysteresis
from gnomon.fault_injection.dynamics.supplies import SupplyDynamics, SupplyState

__all__ = ["Hysteresis", "SupplyDynamics", "SupplyState"]
