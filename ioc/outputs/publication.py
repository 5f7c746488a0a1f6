"""Values that are published together: values in their sources' units, scaled to those of the PVs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.db.pvs import Kind
from gnomon.db.sources import SOURCES
from gnomon.ioc.outputs.bank import NOTHING, Bank, Indices, Severity, Status


class Publication:
    """Values that are going to be published together."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._values: dict[int, float] = {}
        self._many: list[tuple[Indices, NDArray[np.float64]]] = []
        self._objects: dict[int, Any] = {}
        self._alarms: dict[int, tuple[Severity, Status]] = {}

    def put(self, index: int, value: Any, alarm: tuple[Severity, Status] | None = None) -> None:
        """Give a PV a value in its source's unit."""
        spec = self._bank.specs[index]
        match spec.kind:
            case Kind.FLOAT | Kind.INT | Kind.ENUM:
                self._values[index] = float(value) * spec.scale + spec.offset
            case Kind.FLOATS:
                self._objects[index] = np.asarray(value, dtype=float) * spec.scale
            case Kind.INTS:
                self._objects[index] = np.rint(np.asarray(value) * spec.scale).astype(np.int32)
            case Kind.TABLE if spec.scale != 1.0:
                scaled = SOURCES[spec.source].scaled or [k for k, v in value.items() if not isinstance(v, list)]
                self._objects[index] = {k: v * spec.scale if k in scaled else v for k, v in value.items()}
            case _:
                self._objects[index] = value
        if alarm is not None:
            self._alarms[index] = alarm

    def put_own(self, index: int, value: float) -> None:
        """Give a numeric PV a value in its own unit."""
        self._values[index] = value

    def put_many(self, indices: Indices, values: NDArray[np.float64]) -> None:
        """Give numeric PVs values in their own units; none of them has one in this publication already."""
        self._many.append((indices, values))

    def has(self, index: int) -> bool:
        """Tell whether a PV has a value in it that was put by itself."""
        return index in self._values or index in self._objects

    def send(self, time_ns: int, generation: int, invalid: Indices = NOTHING) -> None:
        """Publish all of it, and mark the PVs in `invalid`, whose old values stay."""
        indices = np.fromiter(self._values.keys(), dtype=np.intp, count=len(self._values))
        numbers = np.fromiter(self._values.values(), dtype=float, count=len(self._values))
        if self._many:
            indices = np.concatenate([indices, *(some for some, _ in self._many)])
            numbers = np.concatenate([numbers, *(values for _, values in self._many)])
        self._bank.publish(
            (indices, numbers),
            self._objects,
            time_ns=time_ns,
            generation=generation,
            alarms=self._alarms,
            invalid=invalid,
        )
