"""Checks of all that can keep a server from starting or running well, before somebody has to find out."""

from gnomon.ioc.app.checkup.check_results import Finding, State
from gnomon.ioc.app.checkup.running_checks import examine

__all__ = ["Finding", "State", "examine"]
