"""Fault injection: faults, and the injector that makes them act on commands. No real-machine code may import it."""

from gnomon.fault_injection.faults import Action, Fault, FaultError
from gnomon.fault_injection.injector import Decision, Injector, decide

__all__ = ["Action", "Decision", "Fault", "FaultError", "Injector", "decide"]
