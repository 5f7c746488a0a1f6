"""Post what was published to the PVs that are open, and of each only what changed since its last post."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.outputs.bank import Bank, Indices, Reading
from gnomon.ioc.servers.pva.structures import type_of
from gnomon.ioc.servers.pva.values import Updates, content_of


@dataclass(frozen=True, slots=True)
class _Watched:
    """A PV that some client has connected."""

    spec: PvSpec
    post: Callable[[Any], None]
    updates: Updates


class Poster:
    """Record of which PVs are open and what each was last sent. Not thread safe: the server's lock guards it."""

    def __init__(self, bank: Bank) -> None:
        n = len(bank.specs)
        self._bank = bank
        self._watched: list[_Watched | None] = [None] * n
        self._is_watched = np.zeros(n, dtype=bool)
        self._updates: dict[int, Updates] = {}  # by the identity of the type, which `type_of` keeps alive
        self._is_float = np.array([spec.kind is Kind.FLOAT for spec in bank.specs], dtype=bool)
        self._floats: Updates | None = None  # all numbers have one type
        self._value = np.zeros(n)
        self._object: list[Any] = [None] * n
        self._alarm = np.zeros((2, n), dtype=np.uint8)
        self._stamp = np.zeros((2, n), dtype=np.int64)

    @property
    def count(self) -> int:
        """Number of open PVs."""
        return int(self._is_watched.sum())

    def add(self, index: int, post: Callable[[Any], None], sent: Reading) -> None:
        """From now on hand updates of a PV, whose clients were sent the reading `sent`, to `post`."""
        spec = self._bank.specs[index]
        key = id(type_of(spec))
        if key not in self._updates:
            self._updates[key] = Updates(spec)
        self._watched[index] = _Watched(spec, post, self._updates[key])
        self._is_watched[index] = True
        if spec.kind is Kind.FLOAT:
            self._floats = self._updates[key]
        if spec.kind in (Kind.FLOAT, Kind.INT, Kind.ENUM):
            self._value[index] = sent.value
        else:
            self._object[index] = sent.value
        self._alarm[:, index] = sent.severity, sent.status
        self._stamp[:, index] = sent.time_ns, sent.generation

    def remove(self, index: int) -> None:
        """No client has the PV any more."""
        self._watched[index] = None
        self._object[index] = None
        self._is_watched[index] = False

    def count_of(self, indices: Indices) -> int:
        """Count those of `indices` that are open."""
        return int(np.count_nonzero(self._is_watched[indices]))

    def post(self, indices: Indices) -> None:
        """Post the bank's present state of those of `indices` that are open; called in the publishing thread."""
        chosen = indices[self._is_watched[indices]]
        if not chosen.size:
            return
        bank = self._bank
        values = bank.values[chosen]
        alarms = np.stack([bank.severity[chosen], bank.status[chosen]])
        stamps = np.stack([bank.time_ns[chosen], bank.generation[chosen]])
        alarm_is_new = (alarms != self._alarm[:, chosen]).any(axis=0)
        before = self._value[chosen]
        value_is_new = (values != before) & ~(np.isnan(values) & np.isnan(before))
        value_is_new |= (stamps != self._stamp[:, chosen]).any(axis=0)
        self._value[chosen], self._alarm[:, chosen], self._stamp[:, chosen] = values, alarms, stamps
        # Nearly all of a large batch: numbers of which nothing but value and stamp is new, all with the newest stamp.
        newest = stamps[:, stamps[0].argmax()]
        plain = self._is_float[chosen] & value_is_new & ~alarm_is_new & (stamps == newest[:, np.newaxis]).all(axis=0)
        others = np.flatnonzero(~plain)
        rest = (
            chosen[others].tolist(),
            values[others].tolist(),
            *alarms[:, others].tolist(),
            *stamps[:, others].tolist(),
        )
        for index, *state, new_value, new_alarm in zip(
            *rest, value_is_new[others].tolist(), alarm_is_new[others].tolist(), strict=True
        ):
            self._post_one(index, *state, new_value=new_value, new_alarm=new_alarm)
        if self._floats is not None:
            posts = [
                (watched.post, value)
                for index, value in zip(chosen[plain].tolist(), values[plain].tolist(), strict=True)
                if (watched := self._watched[index]) is not None
            ]
            self._floats.post_values(posts, *newest.tolist())

    def _post_one(
        self,
        index: int,
        value: float,
        severity: int,
        status: int,
        time_ns: int,
        generation: int,
        *,
        new_value: bool,
        new_alarm: bool,
    ) -> None:
        watched = self._watched[index]
        if watched is None:
            return
        content: Any
        kind = watched.spec.kind
        if kind is Kind.FLOAT:
            content = value
        elif kind is Kind.INT or kind is Kind.ENUM:
            content = int(value) if math.isfinite(value) else 0
        else:
            stored = self._bank.objects[index]
            new_value |= stored is not self._object[index]
            self._object[index] = stored
            content = content_of(watched.spec, stored) if new_value else None
        if new_value and new_alarm:
            watched.post(watched.updates.value_and_alarm(content, time_ns, generation, severity, status))
        elif new_value:
            watched.post(watched.updates.value(content, time_ns, generation))
        elif new_alarm:
            watched.post(watched.updates.alarm(severity, status))
