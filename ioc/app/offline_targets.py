"""Targets of faults without a server: what a machine and its PV document would accept."""

from collections.abc import Sequence
from functools import cached_property

from gnomon.db.pvs import PvSpec
from gnomon.fault_injection import ConnectionFault, FaultRequest
from gnomon.ioc.app.active_faults import PvValues
from gnomon.ioc.app.injected_connections import ALWAYS_THERE, names_meant
from gnomon.ioc.app.rpc.connection_targets import disturbs_nothing
from gnomon.ioc.app.rpc.fault_targets import without_target
from gnomon.ioc.base.machines import LoadedMachine, pvs_of
from gnomon.ioc.outputs.bank import Bank

__all__ = ["OfflineTargets"]


class OfflineTargets:
    """Everything that a fault can be about on a server of this machine, under a prefix."""

    def __init__(self, machine: LoadedMachine, prefix: str) -> None:
        self._machine = machine
        self._prefix = prefix

    @cached_property
    def specs(self) -> tuple[PvSpec, ...]:
        """All PVs. Raises DocumentError."""
        return pvs_of(self._machine, self._prefix)

    def without_target(self, request: FaultRequest) -> str:
        """Give the reason if a fault names something that there is not, with near names; else empty."""
        return without_target(request, self._machine.ring, self._values) or disturbs_nothing(request, self._names)

    @cached_property
    def _values(self) -> PvValues:
        return PvValues(Bank(self.specs, 0), self._prefix)

    @cached_property
    def _names(self) -> "_Names":
        return _Names(self.specs, self._prefix)


class _Names:
    """The names that faults of connections could be about; see `ServedNames`."""

    def __init__(self, specs: Sequence[PvSpec], prefix: str) -> None:
        self.prefix = prefix
        self.always_there = tuple(spec.name for spec in specs if spec.source in ALWAYS_THERE)
        self.names = {spec.name: spec.device for spec in specs if spec.source not in ALWAYS_THERE}
        self._specs = specs

    def named(self, request: ConnectionFault) -> frozenset[str]:
        """See `ServedNames`."""
        return names_meant(request, self.names, self._specs, self.prefix)
