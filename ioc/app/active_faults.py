"""The active faults as PVs, and the values of PVs for the conditions of faults."""

import asyncio
from collections.abc import Callable, Iterable

import numpy as np

from gnomon.db import sources
from gnomon.db.canonical_name import canonical_name
from gnomon.db.pvs import Kind
from gnomon.fault_injection import Fault, Injector
from gnomon.ioc.app.injected_connections import InjectedConnections
from gnomon.ioc.app.injected_readings import InjectedReadings
from gnomon.ioc.outputs.bank import Bank, Severity
from gnomon.ioc.outputs.outputs import Outputs

#: Columns of texts by name.
Table = dict[str, list[str]]
#: Kinds of PVs that a condition can be about.
NUMBERS = (Kind.FLOAT, Kind.INT, Kind.ENUM)
#: Time between two looks for faults that have ended or begun by themselves [s].
PERIOD_S = 0.5


class ActiveFaults:
    """Publisher of the faults that are active, each time that they differ from those shown.

    `retry` lets the model try again, if faults that made it fail have ended.
    """

    def __init__(
        self,
        injector: Injector,
        outputs: Outputs,
        readings: InjectedReadings,
        retry: Callable[[], None],
        connections: InjectedConnections,
    ) -> None:
        self._injector = injector
        self._retry = retry
        self._readings = readings
        self._connections = connections
        self._outputs = outputs
        self._count = 0
        self._shown = table_of(())

    def show(self) -> None:
        """Publish the active faults, if they are others than before, and what they disturb."""
        self._connections.refresh()
        faults = self._injector.active()
        rows = table_of(faults[: sources.MAX_LISTED])
        if rows != self._shown or len(faults) != self._count:
            self._shown, self._count = rows, len(faults)
            listed = [fault.describe() for fault in faults[: sources.MAX_LISTED]]
            shown = {sources.FAULTS_COUNT: len(faults), sources.FAULTS_ACTIVE: listed, sources.FAULTS_TABLE: rows}
            self._outputs.show_many(shown)
        self._retry()
        if self._readings.refresh():
            self._outputs.repeat(each_monitor=True)

    async def run(self) -> None:
        """Look for changes until cancelled."""
        while True:
            await asyncio.sleep(PERIOD_S)
            self.show()


def table_of(faults: Iterable[Fault]) -> Table:
    """Make the columns of `dt:faults:table`."""
    rows = [
        (
            str(fault.id),
            fault.phase.value,
            "all" if fault.remaining is None else str(fault.remaining),
            fault.request.describe(),
            fault.created_by,
        )
        for fault in faults
    ]
    names = [name for name, *_ in sources.FAULTS_TABLE.columns]
    return {name: [row[i] for row in rows] for i, name in enumerate(names)}


class PvValues:
    """The present values of PVs, by name with or without prefix."""

    def __init__(self, bank: Bank, prefix: str) -> None:
        self.bank = bank
        self.prefix = prefix

    def find(self, name: str) -> int | None:
        """Find a PV's place in the bank; None if there is none of this name."""
        return self.bank.index.get(self.prefix + canonical_name(name, self.prefix))

    def __call__(self, name: str) -> float | None:
        """Return the value of a PV; None unless it is a valid number."""
        index = self.find(name)
        if index is None or self.bank.specs[index].kind not in NUMBERS:
            return None
        reading = self.bank.reading(index)
        value = float(reading.value)
        return value if reading.severity is not Severity.INVALID and np.isfinite(value) else None
