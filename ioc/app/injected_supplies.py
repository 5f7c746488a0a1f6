"""Faults of power supplies: which act now on what, and which supplies an operator has switched on again."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from gnomon.fault_injection import Active, Injector, SupplyFault, SupplyTrip
from gnomon.fault_injection.dynamics import SupplyEffects, combined_effects, fitting
from gnomon.ioc.app.fault_notes import FaultNotes
from gnomon.lattice import Change

GROUP = "supplies"

#: Number of supplies that a note names.
MAX_NAMES = 5

Booleans = NDArray[np.bool_]


class InjectedSupplies:
    """Faults of the supplies of one server, for the event loop; `low` and `high` (n,) are their drive limits [A]."""

    def __init__(
        self,
        names: Sequence[str],
        low: NDArray[np.float64],
        high: NDArray[np.float64],
        injector: Injector,
        notes: FaultNotes,
    ) -> None:
        self._names = names
        self._place = {name: n for n, name in enumerate(names)}
        self._span = high - low
        self._injector = injector
        self._notes = notes
        self._masks: dict[tuple[int, int], Booleans] = {}
        self._waiting: dict[int, Active] = {}

    @property
    def listens(self) -> bool:
        """True if a supply is off that a put would switch on again."""
        return bool(self._waiting)

    def effects(self) -> SupplyEffects | None:
        """Return what faults do to the supplies now; None if there are none."""
        acting = self._injector.on_occasion(GROUP)
        self._notes.occasions(GROUP, acting)
        keys = {(active.fault.id, active.times) for active in acting}
        for old in self._masks.keys() - keys:
            del self._masks[old]
        self._waiting = {n: active for n, active in self._waiting.items() if (n, active.times) in keys}
        return (
            combined_effects([(a, self._mask(a)) for a in acting], self._span, self._injector.draws) if acting else None
        )

    def acted(self, changes: Iterable[Change]) -> None:
        """Hear what has been set: a supply that tripped and can be reset is switched on again by its setpoint."""
        if not self._waiting:
            return
        put = np.zeros(len(self._names), dtype=bool)
        for change in changes:
            if change.property == "current" and change.device in self._place:
                put[self._place[change.device]] = True
        for number, active in list(self._waiting.items()):
            key = (number, active.times)
            mask = self._masks[key]
            on = mask & put
            if not on.any():
                continue
            self._masks[key] = mask & ~put
            self._notes.add(active.fault, f"lets its supplies be switched on again: {self._called(on)}")
            if not self._masks[key].any():
                del self._waiting[number]
                self._injector.end_occasion(number)

    def _mask(self, active: Active) -> Booleans:
        """Return the supplies that a fault acts on in this occasion."""
        key = (active.fault.id, active.times)
        mask = self._masks.get(key)
        if mask is None:
            request = active.fault.request
            assert isinstance(request, SupplyFault)
            mask = self._masks[key] = fitting(request, self._names)
            if isinstance(request, SupplyTrip) and request.reset == "setpoint":
                self._waiting[active.fault.id] = active
            self._notes.add(active.fault, f"acts: {request.effect()}: {self._called(mask)}")
        return mask

    def _called(self, mask: Booleans) -> str:
        names = [name for name, meant in zip(self._names, mask.tolist(), strict=True) if meant]
        more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
        return ", ".join(names[:MAX_NAMES]) + more
