"""Between dispatcher and model: supplies that take their time, and fields that are not what the currents say.

A put is accepted at once, as a supply accepts a setpoint. From then on the model is asked again and again for the beam
of the present currents, until all have arrived, and readbacks ramp with them.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gnomon.fault_injection.dynamics import Drifts, SupplyDynamics, SupplyState
from gnomon.ioc.commands.model import Model
from gnomon.lattice import Lattice, Ring
from gnomon.propagator import Answer

#: Relative change of fields or circumference by drifts that makes the beam be computed again.
DRIFTED = 1e-9

#: Largest number of states that the model was asked for and has not answered; older ones are forgotten.
MAX_OPEN = 256


@dataclass(frozen=True, slots=True)
class SupplySlots:
    """Places of the currents of a ring's supplies (n,) and of the master clock among its settings."""

    names: tuple[str, ...]
    currents: NDArray[np.intp]
    frequency: int

    @classmethod
    def of(cls, ring: Ring) -> "SupplySlots":
        """Find the slots of all supplies of the ring's document, in its order."""
        names = tuple(supply.name for supply in ring.document.supplies)
        slots = [ring.property_spec(name, "current").slot for name in names]
        frequency = ring.property_spec("rf", "frequency").slot
        assert frequency is not None
        return cls(names, np.array([slot for slot in slots if slot is not None], dtype=np.intp), frequency)


@dataclass(frozen=True, slots=True, eq=False)
class _Sent:
    """A state that the model was asked for: by its fields, and as readbacks show it."""

    fields: Lattice
    shown: Lattice


class MovingSupplies:
    """A model whose supplies move. It is used by the event loop alone, and knows no clock but `clock_s`.

    `model` is asked for the beam of the fields; `take` is to be called with each of its answers, and hands it on to
    `publish` with the readbacks' lattice.
    """

    def __init__(
        self,
        ring: Ring,
        dynamics: SupplyDynamics,
        drifts: Drifts,
        lattice: Lattice,
        *,
        publish: Callable[[Answer], None],
        clock_s: Callable[[], float],
    ) -> None:
        self._slots = SupplySlots.of(ring)
        self._ring = ring
        self._dynamics = dynamics
        self._drifts = drifts
        self._publish = publish
        self._clock_s = clock_s
        self._model: Model | None = None
        self._asked = lattice
        self._settings = lattice.settings
        self._sequence = 0
        self._state = dynamics.cycled(self._settings[self._slots.currents])
        self._start_s = self._now_s = clock_s()
        self._drifted = (0.0, 0.0)
        self._sent: deque[_Sent] = deque(maxlen=MAX_OPEN)
        self._ripples = bool(dynamics.ripple.any())

    def use(self, model: Model) -> None:
        """Ask this model from now on."""
        self._model = model

    @property
    def state(self) -> SupplyState:
        """State of the supplies when it was looked at last."""
        return self._state

    def submit(self, lattice: Lattice, sequence: int) -> "asyncio.Future[Answer]":
        """Let the supplies accept a lattice's setpoints; the answer is the beam as it is then, when nothing has moved.

        Whatever is not a supply's current takes effect at once.
        """
        self._advance()
        self._asked, self._settings, self._sequence = lattice, lattice.settings, sequence
        self._state = self._dynamics.accept(self._state, self._settings[self._slots.currents])
        self._state = self._dynamics.advance(self._state, 0.0)
        answer = self._ask()
        done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        answer.add_done_callback(partial(_resolve, done, lattice))
        return done

    def tick(self) -> None:
        """Ask for the beam of the present currents, if they or the fields have changed."""
        if self._model is None:
            return
        moving = not self._dynamics.is_at_rest(self._state).all()
        self._advance()
        drifted = self._drift()
        drifting = max(abs(a - b) for a, b in zip(drifted, self._drifted, strict=True)) > DRIFTED
        if moving or drifting or self._ripples:
            self._ask()

    def ask_again(self) -> "asyncio.Future[Answer]":
        """Ask for the beam of the present currents, changed or not."""
        self._advance()
        return self._ask()

    def take(self, answer: Answer) -> None:
        """Publish an answer of the model with the readbacks that belong to it."""
        found = [n for n, sent in enumerate(self._sent) if sent.fields is answer.lattice]
        shown = self._sent[found[-1]].shown if found else self._asked
        for _ in range(found[-1] if found else 0):
            self._sent.popleft()
        self._publish(replace(answer, lattice=shown))

    def _advance(self) -> None:
        now_s = self._clock_s()
        passed_s, self._now_s = max(now_s - self._now_s, 0.0), now_s
        self._state = self._dynamics.advance(self._state, passed_s)

    def _drift(self) -> tuple[float, float]:
        return self._drifts.circumference(self._now_s), self._drifts.fields(self._now_s - self._start_s)

    def _ask(self) -> "asyncio.Future[Answer]":
        if self._model is None:
            raise RuntimeError("there is no model to ask yet; call use() first")
        self._drifted = circumference, fields = self._drift()
        shown = self._with_currents(self._settings, self._state.current)
        currents = self._dynamics.field_currents(self._state, self._now_s) * (1.0 + fields)
        settings = self._settings
        if circumference:  # on a longer ring, a frequency asks for the momentum of one that is higher by f dC / C
            settings = settings.copy()
            settings[self._slots.frequency] *= 1.0 + circumference
        sent = _Sent(self._with_currents(settings, currents), shown)
        self._sent.append(sent)
        return self._model.submit(sent.fields, self._sequence)

    def _with_currents(self, settings: NDArray[np.float64], currents: NDArray[np.float64]) -> Lattice:
        if settings is self._settings and np.array_equal(currents, settings[self._slots.currents]):
            return self._asked
        changed = settings.copy()
        changed[self._slots.currents] = currents
        return Lattice.of_settings(self._ring, changed)


def _resolve(done: "asyncio.Future[Answer]", lattice: Lattice, answer: "asyncio.Future[Answer]") -> None:
    """Answer who asked for a lattice: by its own id, whatever the currents are yet."""
    if not done.done():
        done.set_result(replace(answer.result(), lattice=lattice))
