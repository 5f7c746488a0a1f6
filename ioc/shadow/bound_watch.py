"""The band of the machine's next reading, by a calibration: predicted in a thread of its own, shown in the event loop.

A change of settings begins at the last reading before it: expected is that reading plus the predicted change. The band
holds for the readings after the change, for `HOLD_S`; drift is no part of it. Otherwise, nothing having changed, it is
around the last reading, as wide as the noise.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from gnomon.db import sources
from gnomon.ioc.outputs.outputs import Outputs
from gnomon.ioc.shadow.shown_bands import (
    BAND,
    MEASURED,
    band_values,
    changes_between,
    measured_values,
    outside,
    settings_of,
)
from gnomon.lattice import GnomonError, Key, Lattice
from gnomon.recorder.bounds import Band, Reading

#: Time after a change for which the band of the change is shown [s]; a reading older than that begins none.
HOLD_S = 60.0

#: Time between two looks for a newer calibration [s].
RENEW_S = 5.0

#: States of `dt:bound:kind`.
NO_CHANGE, LAST_CHANGE = range(2)

log = logging.getLogger("gnomon.shadow")


class PredictsNext(Protocol):
    """The predictor of a calibration: `gnomon.recorder.bounds.Predictor`."""

    @property
    def calibration_id(self) -> str:
        """The id of the calibration."""
        ...

    def band(
        self,
        settings: Mapping[Key, float],
        changes: Mapping[Key, float],
        reading: Reading,
        *,
        coverage: float,
        now_ns: int,
    ) -> Band:
        """Predict the band after changes."""
        ...

    def quiet_band(self, reading: Reading, *, coverage: float, now_ns: int) -> Band:
        """Predict the band of the next reading if nothing changes."""
        ...


@dataclass(frozen=True, slots=True)
class _Seen:
    """A reading that belongs to a lattice."""

    lattice: Lattice
    reading: Reading


@dataclass(frozen=True, slots=True)
class _Question:
    """The state from which a band is predicted, and the lattice for whose readings it is."""

    before: _Seen
    lattice: Lattice


class BoundWatch:
    """Publisher of the bounds, from `start` to `close`; all methods are for the event loop.

    `make` gives the predictor; it is called in the thread, and raises GnomonError where there is none. It is called
    again when `version` gives another value, such as the names of the calibrations that there are.
    """

    def __init__(
        self,
        make: Callable[[], PredictsNext],
        coverage: float,
        stale_s: float,
        outputs: Outputs,
        wall_ns: Callable[[], int] = time.time_ns,
        version: Callable[[], object] = lambda: None,
    ) -> None:
        self._make = make
        self._version = version
        self._made: object = None  # the version of which the predictor was made
        self._looked_ns = 0
        self._due = False  # made again once the prediction that is under way is there
        self._coverage = coverage
        self._stale_ns = round(stale_s * 1e9)
        self._outputs = outputs
        self._wall_ns = wall_ns
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="bounds")
        self._predictor: PredictsNext | None = None  # made and used in the thread alone
        self._lattice: Lattice | None = None
        self._last: _Seen | None = None
        self._changed_ns: int | None = None  # when the change began whose band is shown
        self._before: _Seen | None = None  # the state before it
        self._asked: asyncio.Future[Band | None] | None = None
        self._next: _Question | None = None
        self._band: tuple[Band, Lattice] | None = None
        self._reason: str | None = None
        self._failure: GnomonError | None = None  # of making the predictor: not tried again with the same version
        self._closed = False

    def start(self) -> None:
        """Prepare the predictor, which takes seconds."""
        self._none("the calibration is being prepared")
        self._made, self._looked_ns = self._version(), self._wall_ns()
        self._run(self._prepare)

    def close(self) -> None:
        """Predict no more; the bounds become INVALID."""
        self._closed = True
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._none("no machine is followed")
        self._outputs.invalidate(MEASURED)

    def look(self, lattice: Lattice | None) -> None:
        """Take the present settings, None while they are not known, and end what has become old."""
        if lattice is not None:
            self._note(lattice)
        self._renew()
        if self._last is not None and self._wall_ns() - self._last.reading.time_ns > self._stale_ns:
            self._none("no reading of the machine since its last change is fresh")
            self._outputs.invalidate(MEASURED)

    def read(self, lattice: Lattice, reading: Reading) -> None:
        """Take a reading that belongs to the present settings."""
        self._note(lattice)
        self._last = _Seen(lattice, reading)
        values = measured_values(reading)
        self._outputs.show_many(values, time_ns=reading.time_ns)
        self._outputs.invalidate([source for source in MEASURED if source not in values])
        self._compare()
        if self._changed_ns is None or self._wall_ns() - self._changed_ns > HOLD_S * 1e9:
            self._changed_ns = self._before = None
            self._ask(_Question(self._last, lattice))
        elif self._band is None and self._asked is None and self._before is not None:
            self._ask(_Question(self._before, lattice))  # readings had stayed away

    def _renew(self) -> None:
        """Make the predictor again if there is another version; what is shown stays until its first band."""
        now_ns = self._wall_ns()
        if now_ns - self._looked_ns < RENEW_S * 1e9:
            return
        self._looked_ns = now_ns
        if (version := self._version()) == self._made:
            return
        self._made = version
        if self._asked is None:
            self._run(self._prepare)
        else:
            self._due = True

    def _note(self, lattice: Lattice) -> None:
        """Begin a band if the settings have changed; several changes without a reading between them count as one."""
        if self._lattice is None or lattice.id == self._lattice.id:
            self._lattice = lattice
            return
        self._lattice, last, now_ns = lattice, self._last, self._wall_ns()
        self._changed_ns = self._before = None
        if last is None or now_ns - last.reading.time_ns > HOLD_S * 1e9:
            self._none("there was no reading before the last change")
            return
        self._changed_ns, self._before = now_ns, last
        self._ask(_Question(last, lattice))

    def _ask(self, question: _Question) -> None:
        """Predict; of what is asked while a prediction is under way, the newest counts."""
        if self._asked is not None:
            self._next = question
            return
        self._run(lambda: self._predict(question), question)

    def _run(self, work: Callable[[], Band | None], question: _Question | None = None) -> None:
        asked = asyncio.get_running_loop().run_in_executor(self._thread, work)
        self._asked = asked
        asked.add_done_callback(lambda done: self._answered(done, question))

    def _answered(self, done: "asyncio.Future[Band | None]", question: _Question | None) -> None:
        self._asked = None
        if self._closed or done.cancelled():
            return
        if (error := done.exception()) is not None:
            if not isinstance(error, GnomonError):
                log.error("confidence bounds: %s: %s", type(error).__name__, error)
            self._none(str(error) or type(error).__name__)
        elif (band := done.result()) is not None and question is not None and self._next is None:
            self._show(band, question)
        if self._due:
            self._due = False
            self._run(self._prepare)
            return
        question, self._next = self._next, None
        if question is not None:
            self._ask(question)

    def _prepare(self) -> None:
        """Make the predictor, in the thread. Where a newer one cannot be made, the one before it stays."""
        try:
            self._predictor, self._failure = self._make(), None
        except GnomonError as error:
            if self._predictor is not None:
                log.warning("confidence bounds: the newest calibration is not used: %s", error)
                return
            self._failure = error
            raise

    def _predict(self, question: _Question) -> Band:
        """Predict, in the thread."""
        if self._predictor is None:
            raise self._failure or GnomonError("there is no predictor")
        before, now_ns = question.before, self._wall_ns()
        if question.lattice.id != before.lattice.id:
            settings = settings_of(before.lattice)
            changes = changes_between(settings, settings_of(question.lattice))
            return self._predictor.band(settings, changes, before.reading, coverage=self._coverage, now_ns=now_ns)
        return self._predictor.quiet_band(before.reading, coverage=self._coverage, now_ns=now_ns)

    def _show(self, band: Band, question: _Question) -> None:
        if self._lattice is None or question.lattice.id != self._lattice.id:
            return
        self._band = (band, question.lattice)
        self._reason = "; ".join(band.distrust)
        values = band_values(band, len(question.before.reading.orbit))
        told = {
            sources.BOUND_KIND: NO_CHANGE if question.lattice.id == question.before.lattice.id else LAST_CHANGE,
            sources.BOUND_COVERAGE: band.coverage,
            sources.BOUND_CALIBRATION: band.calibration_id,
            sources.BOUND_REASON: self._reason,
        }
        self._outputs.show_many(values | told)
        self._outputs.invalidate([source for source in BAND if source not in values])
        self._compare()

    def _compare(self) -> None:
        """Compare the last reading with the band that is shown, if it is of the same settings."""
        band, last = self._band, self._last
        if band is not None and band[0].trusted and last is not None and band[1].id == last.lattice.id:
            self._outputs.show(sources.BOUND_OUTSIDE, outside(band[0], last.reading))
        else:
            self._outputs.invalidate((sources.BOUND_OUTSIDE,))

    def _none(self, reason: str) -> None:
        self._band = None
        if reason != self._reason:
            self._reason = reason
            self._outputs.show(sources.BOUND_REASON, reason)
            self._outputs.invalidate(BAND)
