"""Between dispatcher and model: supplies that take their time, and fields that are not what the currents say.

A put is accepted at once, as a supply accepts a setpoint. From then on the model is asked again and again for the beam
of the present currents, until all have arrived, and readbacks ramp with them. Ideal supplies hand everything on as it
is, as long as no fault disturbs them.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gnomon.fault_injection.dynamics import Drifts, Hysteresis, SupplyDynamics, SupplyEffects, SupplyState
from gnomon.ioc.commands.model import Model
from gnomon.lattice import Lattice, Ring
from gnomon.propagator import Answer

Floats = NDArray[np.float64]

#: Relative change of fields or circumference by drifts that makes the beam be computed again.
DRIFTED = 1e-9

#: Largest number of states that the model was asked for and has not answered; older ones are forgotten.
MAX_OPEN = 256


@dataclass(frozen=True, slots=True)
class SupplySlots:
    """Places of the currents of a ring's supplies (n,) and of the master clock among its settings.

    `low` and `high` (n,) are the drive limits [A]; fields are known from `lowest` to `highest` (n,) [A].
    """

    names: tuple[str, ...]
    currents: NDArray[np.intp]
    frequency: int
    low: Floats
    high: Floats
    lowest: Floats
    highest: Floats

    @classmethod
    def of(cls, ring: Ring) -> "SupplySlots":
        """Find the slots of all supplies of the ring's document, in its order."""
        names = tuple(supply.name for supply in ring.document.supplies)
        frequency = ring.property_spec("rf", "frequency").slot
        assert frequency is not None
        specs = [ring.property_spec(name, "current") for name in names]
        limits = np.array([(spec.low, spec.high) for spec in specs]).reshape(-1, 2)
        known = np.tile([-np.inf, np.inf], (len(names), 1))
        place = {name: n for n, name in enumerate(names)}
        for magnet in ring.magnets:
            n = place[magnet.supply]
            lowest, highest = magnet.conversion.currents_known()
            known[n] = max(known[n, 0], lowest), min(known[n, 1], highest)
        currents = np.array([spec.slot for spec in specs if spec.slot is not None], dtype=np.intp)
        return cls(names, currents, frequency, limits[:, 0], limits[:, 1], known[:, 0], known[:, 1])


@dataclass(frozen=True, slots=True, eq=False)
class _Sent:
    """A state that the model was asked for: by its fields, and as readbacks show it."""

    fields: Lattice
    shown: Lattice


class MovingSupplies:
    """A model whose supplies move. It is used by the event loop alone, and knows no clock but `clock_s`.

    `model` is asked for the beam of the fields; `take` is to be called with each of its answers, and hands it on to
    `publish` with the readbacks' lattice. Without `dynamics` the supplies are ideal.
    """

    def __init__(
        self,
        ring: Ring,
        dynamics: SupplyDynamics | None,
        drifts: Drifts,
        lattice: Lattice,
        *,
        publish: Callable[[Answer], None],
        clock_s: Callable[[], float],
    ) -> None:
        self.slots = slots = SupplySlots.of(ring)
        self._ring = ring
        self._ideal = dynamics is None
        self._own = self._dynamics = dynamics or SupplyDynamics.ideal(slots.low, slots.high)
        self._wide = Hysteresis.of_remanence(slots.low, slots.high, slots.high - slots.low)
        self._effects: SupplyEffects | None = None
        self._kicks: Mapping[int, float] = {}
        self._drifts = drifts
        self._publish = publish
        self._clock_s = clock_s
        self._model: Model | None = None
        self._asked = lattice
        self._settings = lattice.settings
        self._sequence = 0
        self._state = self._own.cycled(self._settings[slots.currents])
        self._start_s = self._now_s = clock_s()
        self._drifted = (0.0, 0.0)
        self._sent: deque[_Sent] = deque(maxlen=MAX_OPEN)
        self._ripples = bool(self._own.ripple.any())
        self._direct = self._ideal
        self._stale = False

    def use(self, model: Model) -> None:
        """Ask this model from now on."""
        self._model = model

    @property
    def state(self) -> SupplyState:
        """State of the supplies when it was looked at last."""
        return self._state

    @property
    def asked(self) -> Lattice:
        """The lattice of the setpoints."""
        return self._asked

    def disturb(self, effects: SupplyEffects | None, kicks: Mapping[int, float]) -> None:
        """Let faults act from now on: their effects on the supplies, None without any, and added to settings by slot.

        Ideal supplies are cycled when they are disturbed for the first time.
        """
        if effects is None and self._effects is None and kicks == self._kicks:
            return
        if self._direct:
            self._settings = self._asked.settings
            self._state = self._own.cycled(self._settings[self.slots.currents])
            self._now_s = self._clock_s()
        else:
            self._advance()
        self._stale = self._stale or kicks != self._kicks or (effects is None) != (self._effects is None)
        before, self._effects, self._kicks = self._effects, effects, kicks
        self._direct = False
        if before is not None:  # who is switched on again ramps from where the current is
            on = before.off if effects is None else before.off & ~effects.off
            self._state = replace(self._state, ramp=np.where(on, self._state.current, self._state.ramp))
        self._dynamics = self._own if effects is None else effects.dynamics(self._own)
        self._accept()

    def submit(self, lattice: Lattice, sequence: int) -> "asyncio.Future[Answer]":
        """Let the supplies accept a lattice's setpoints; the answer is the beam as it is then, when nothing has moved.

        Whatever is not a supply's current takes effect at once.
        """
        if self._direct and self._model is not None:
            self._asked, self._sequence = lattice, sequence
            return self._model.submit(lattice, sequence)
        self._advance()
        self._asked, self._settings, self._sequence = lattice, lattice.settings, sequence
        self._accept()
        answer = self._ask()
        done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        answer.add_done_callback(partial(_resolve, done, lattice))
        return done

    def tick(self) -> None:
        """Ask for the beam of the present currents, if they or the fields have changed."""
        if self._model is None or self._direct:
            return
        moving = not self._dynamics.is_at_rest(self._state).all()
        self._advance()
        drifted = self._drift()
        drifting = max(abs(a - b) for a, b in zip(drifted, self._drifted, strict=True)) > DRIFTED
        disturbed = self._effects is not None or bool(self._kicks)
        if moving or drifting or self._ripples or self._stale or (disturbed and self._differs()):
            self._ask()
        elif self._ideal and not disturbed:
            self._direct = True

    def ask_again(self) -> "asyncio.Future[Answer]":
        """Ask for the beam of the present currents, changed or not."""
        if self._direct and self._model is not None:
            return self._model.submit(self._asked, self._sequence)
        self._advance()
        return self._ask()

    def take(self, answer: Answer) -> None:
        """Publish an answer of the model with the readbacks that belong to it."""
        found = [n for n, sent in enumerate(self._sent) if sent.fields is answer.lattice] if self._sent else ()
        if not found and self._ideal:  # asked for when nothing was disturbed
            self._publish(answer)
            return
        shown = self._sent[found[-1]].shown if found else self._asked
        for _ in range(found[-1] if found else 0):
            self._sent.popleft()
        if self._direct and len(self._sent) == 1:
            self._sent.clear()
        self._publish(replace(answer, lattice=shown))

    def _accept(self) -> None:
        setpoints = self._settings[self.slots.currents]
        if self._effects is None:
            self._state = self._own.accept(self._state, setpoints)
        else:
            self._state = self._effects.accepted(self._own, self._state, setpoints)
        self._state = self._dynamics.advance(self._state, 0.0)

    def _advance(self) -> None:
        now_s = self._clock_s()
        passed_s, self._now_s = max(now_s - self._now_s, 0.0), now_s
        self._state = self._dynamics.advance(self._state, passed_s)

    def _drift(self) -> tuple[float, float]:
        return self._drifts.circumference(self._now_s), self._drifts.fields(self._now_s - self._start_s)

    def _differs(self) -> bool:
        """Return whether faults make other settings of the fields, or other readbacks, than those asked for last."""
        if not self._sent:
            return True
        last = self._sent[-1]
        fields, shown = self._present(*self._drift())
        return fields.id != last.fields.id or shown.id != last.shown.id

    def _ask(self) -> "asyncio.Future[Answer]":
        if self._model is None:
            raise RuntimeError("there is no model to ask yet; call use() first")
        self._drifted, self._stale = self._drift(), False
        sent = _Sent(*self._present(*self._drifted))
        self._sent.append(sent)
        return self._model.submit(sent.fields, self._sequence)

    def _present(self, circumference: float, warmth: float) -> tuple[Lattice, Lattice]:
        """Return the lattice as its fields are now, and as readbacks show it."""
        state, currents = self._state, self._state.current
        fields = self._dynamics.field_currents(state, self._now_s)
        if (effects := self._effects) is not None:
            fields = effects.fields(fields, currents, state, self._wide)
            currents = effects.readbacks(currents)
        settings = self._settings
        if circumference or self._kicks:
            settings = settings.copy()
            # On a longer ring, a frequency asks for the momentum of one that is higher by f dC / C.
            settings[self.slots.frequency] *= 1.0 + circumference
            for slot, kick in self._kicks.items():
                settings[slot] += kick
        return self._with_currents(settings, fields * (1.0 + warmth)), self._with_currents(self._settings, currents)

    def _with_currents(self, settings: Floats, currents: Floats) -> Lattice:
        currents = np.clip(currents, self.slots.lowest, self.slots.highest)
        if settings is self._settings and np.array_equal(currents, settings[self.slots.currents]):
            return self._asked
        changed = settings.copy()
        changed[self.slots.currents] = currents
        return Lattice.of_settings(self._ring, changed)


def _resolve(done: "asyncio.Future[Answer]", lattice: Lattice, answer: "asyncio.Future[Answer]") -> None:
    """Answer who asked for a lattice: by its own id, whatever the currents are yet."""
    if not done.done():
        done.set_result(replace(answer.result(), lattice=lattice))
