"""The stored beam in plans: samples of its current, injection when it was lost, and a beam again at the end."""

import time
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import bluesky.plan_stubs as bps
import numpy as np
from bluesky.preprocessors import finalize_wrapper
from bluesky.utils import FailedStatus, Msg
from numpy.typing import NDArray
from ophyd_async.core import NotConnectedError
from ophyd_async.plan_stubs import ensure_connected

from gnomon.clients.bluesky_devices import RingDevices
from gnomon.clients.errors import ClientError, NoBeamError, NoDeviceError, StaleReadingError
from gnomon.lattice import GnomonError
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.plans.measured_rows import Recording

__all__ = ["BeamSamples", "NoInjectionError", "StoredBeamKeeper", "beam_is_lost", "current_resolution"]

T = TypeVar("T")
Plan = Generator[Msg, Any, T]
Array = NDArray[np.float64]

#: Severity of a value that must not be taken, as ophyd-async has it.
INVALID = -1
#: Pause between two looks at the current, and time in which its time stamp moves, beside that for which it is watched
#: [s].
POLL_S, STANDS_S = 0.1, 5.0
#: Time in which the current shows a beam that was injected [s].
INJECTED_S = 5.0
#: Time in which a server of gnomon tells that it has the control for an injection [s].
CONNECT_S = 2.0


class NoInjectionError(ProcedureError):
    """No beam could be injected; the machine's settings are not the reason that is known."""


@dataclass
class BeamSamples:
    """Current of the stored beam over time, [s] and [mA]; `shown_h` is the lifetime that the machine shows, or NaN."""

    time_s: list[float] = field(default_factory=list)
    current_ma: list[float] = field(default_factory=list)
    shown_h: list[float] = field(default_factory=list)
    lost: bool = False


class StoredBeamKeeper:
    """The stored beam of a ring during a plan; less than `min_ma` counts as lost.

    A lost beam is injected by the server's control, `max_injections` times, or by the operator, who is asked by
    `recording.notice` and waited for. At the end of `around(plan)` a beam is there, if there was one at the beginning.
    """

    def __init__(
        self, ring: RingDevices, recording: Recording, min_ma: float, max_injections: int, patience_s: float = 300.0
    ) -> None:
        self._ring, self._recording = ring, recording
        self._min_ma, self._max_injections, self._patience_s = min_ma, max_injections, patience_s
        self._injector: Any = None
        self.injections = 0
        self.began_ma = 0.0
        self._gave_up = False

    def around(self, plan: Callable[[], Plan[T]]) -> Plan[T]:
        """Carry out a plan that needs a beam. Raises NoBeamError without one, NoInjectionError if none is left."""
        yield from ensure_connected(self._ring.current)
        with suppress(NoDeviceError):
            injector = self._ring.injector
            with suppress(NotConnectedError, FailedStatus, TimeoutError):
                yield from ensure_connected(injector, timeout=CONNECT_S)
                self._injector = injector
        _, self.began_ma, _ = yield from self._read()
        if not self.began_ma >= self._min_ma:
            raise NoBeamError(
                f"there is a current of {self.began_ma:.4g} mA; this measurement needs {self._min_ma:g} mA at least"
            )
        failed: list[BaseException] = []

        def kept() -> Plan[T]:
            try:
                return (yield from plan())
            except BaseException as error:
                failed.append(error)
                raise

        result: T = yield from finalize_wrapper(kept(), lambda: self._end(failed))  # type: ignore[no-untyped-call]
        return result

    def sample(self, seconds: float) -> Plan[BeamSamples]:
        """Read the current for a time by its time stamps, or until the beam is lost; at least twice.

        A reading is a new one if its time stamp has moved, whatever its value is: a monitor that stands still shows no
        lost beam. Raises StaleReadingError where it does not move.
        """
        samples = BeamSamples()
        began = time.monotonic()
        end = began + 2.0 * seconds + STANDS_S
        while True:
            stamp, current, shown = yield from self._read()
            now, known = time.monotonic(), samples.time_s
            if not known or stamp > known[-1]:
                samples.time_s.append(stamp)
                samples.current_ma.append(current)
                samples.shown_h.append(shown)
                if current < self._min_ma:
                    samples.lost = True
                    return samples
                if stamp - known[0] >= seconds and len(known) > 1:
                    return samples
            elif now > end and len(known) > 1:
                return samples
            elif now > end:
                raise StaleReadingError(
                    f"{self._ring.current.name}: its time stamp has not moved for {now - began:.0f} s, at {current:.4g}"
                    " mA: a current monitor that stands still shows no lost beam; check it"
                )
            else:
                yield from bps.sleep(POLL_S)

    def fill(self) -> Plan[None]:
        """Inject if less than half of the current from the beginning is left, where that needs nobody's hand."""
        _, current, _ = yield from self._read()
        if self._injector is not None and self._min_ma <= current < 0.5 * self.began_ma:
            with suppress(FailedStatus, ClientError):
                yield from bps.trigger(self._injector, wait=True)

    def bring_back(self) -> Plan[None]:
        """Have a beam again, with settings that can store one. Raises NoInjectionError."""
        _, current, _ = yield from self._read()
        if current >= self._min_ma:  # that of a twin comes back by itself
            return
        try:
            if self.injections >= self._max_injections:
                raise NoInjectionError(
                    f"the beam was lost once more; {self.injections} injections are all that is allowed"
                )
            self.injections += 1
            yield from self._inject()
        except NoInjectionError:
            self._gave_up = True
            raise

    def _inject(self) -> Plan[None]:
        reason, end = "", time.monotonic() + self._patience_s
        if self._injector is None:
            self._recording.say(
                f"the beam was lost: inject one of at least {self._min_ma:g} mA; waiting for {self._patience_s:g} s"
            )
        else:
            self._recording.say("the beam was lost: injecting")
            try:
                yield from bps.trigger(self._injector, wait=True)
            except (FailedStatus, ClientError) as error:
                reason = f": {error.__cause__ or error}"
            end = time.monotonic() + (0.0 if reason else min(INJECTED_S, self._patience_s))
        while True:
            _, current, _ = yield from self._read()
            if current >= self._min_ma:
                return
            if time.monotonic() > end:
                raise NoInjectionError(f"there is no beam{reason}; inject by hand")
            yield from bps.sleep(POLL_S)

    def _end(self, failed: list[BaseException]) -> Plan[None]:
        """Leave a beam behind, also where the allowed injections are used up; what failed before is what is raised."""
        try:
            _, current, _ = yield from self._read()
            if current >= self._min_ma:
                return
            if self._injector is None:
                raise NoInjectionError("the settings are as before, but there is no beam; inject by hand")
            yield from self._inject()
        except (GnomonError, FailedStatus, OSError, TimeoutError) as error:
            # A plan that has ended because nothing could be injected says so in its data.
            if not failed and not self._gave_up:
                raise
            self._recording.say(f"{error.__cause__ or error}")

    def _read(self) -> Plan[tuple[float, float, float]]:
        """Read time stamp [s], current [mA], lifetime [h]. Raises NoBeamError if nobody knows the current."""
        device = self._ring.current
        told = yield Msg("read", device)  # type: ignore[no-untyped-call]
        current = told[device.name]
        if current.get("alarm_severity", 0) == INVALID:
            raise NoBeamError(f"{device.name}: the current of the stored beam is INVALID")
        shown = told.get(f"{device.name}-lifetime", {"value": np.nan, "alarm_severity": INVALID})
        hours = np.nan if shown.get("alarm_severity", 0) == INVALID else float(shown["value"])
        return float(current["timestamp"]), float(current["value"]), hours


def beam_is_lost(error: BaseException) -> bool:
    """Tell whether a step of a plan failed because there is no beam."""
    return isinstance(error, NoBeamError) or isinstance(error.__cause__, NoBeamError)


def current_resolution(ring: RingDevices) -> float:
    """Return the step of the current [mA] that its PV shows; 0 where nothing is known."""
    from gnomon.db import sources

    pvs = getattr(ring, "pvs", None)
    spec = pvs.first(sources.BEAM_CURRENT) if pvs is not None else None
    precision = getattr(spec, "precision", None)
    return 0.0 if precision is None else float(10.0**-precision)
