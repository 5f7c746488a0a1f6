"""A horizontal orbit correction by a few steerers that looks at what it does: `python orbit_correction.py`.

1. It reads monitors only if they are there, valid, finite and fresh; it names the others and goes on without them.
2. It measures the response by small steps before it uses it. A steerer with the wrong sign is used with the sign that
   it has, one that does not move the beam is left alone, a monitor that does not answer is left out; each is named.
3. It checks each put (completion, setpoint, readback) and each step: the orbit must become flatter.
4. Whatever goes wrong, Ctrl-C included: all steerers go back to where they were, and the exit code is not 0.
"""

import csv
import time
from pathlib import Path

import epics
import numpy as np
from careful import Trouble, main, put, put_back, pv, read

#: Goal for the orbit at the good monitors, root mean square [mm], and the number of steps to reach it.
GOAL_MM, STEPS = 0.02, 5
#: Step of the measurement, and the largest change of one steerer in one step [A].
MEASURED_STEP_A, MAX_STEP_A = 0.005, 0.2
#: Part by which a response may differ from the stored one.
TOLERANCE = 0.25
#: Time in which a monitor must have read again after the last put, and the oldest reading at the start [s].
WAIT_S, FRESH_S = 3.0, 5.0

with (Path(__file__).parent / "orbit_response.csv").open(newline="") as file:
    (_, *STEERERS), *ROWS = csv.reader(file)
MONITORS = [row[0] for row in ROWS]
#: Stored response [mm/A]: monitors, steerers.
STORED = np.array([row[1:] for row in ROWS], dtype=float)


class Correction:
    """One correction: the monitors that can still be used, and the reading of them."""

    def __init__(self) -> None:
        self.good = np.ones(len(MONITORS), dtype=bool)

    def leave_out(self, monitor: int, reason: str) -> None:
        """Name a monitor and go on without it, as long as there are enough others. Raises Trouble."""
        self.good[monitor] = False
        print(f"{MONITORS[monitor]} is left out: {reason}", flush=True)
        if self.good.sum() < 2 * len(STEERERS):
            raise Trouble(f"only {self.good.sum()} monitors are left")

    def orbit(self) -> np.ndarray:
        """Read x [mm] at all monitors, newer than the last setpoint; NaN for those that are left out."""
        since = max(_stamp(f"{steerer}:set") for steerer in STEERERS)
        x, reasons = np.full(len(MONITORS), np.nan), dict[int, str]()
        end = time.monotonic() + WAIT_S
        wanted = list(np.flatnonzero(self.good))
        while wanted and time.monotonic() < end:
            for monitor in tuple(wanted):
                x[monitor], reasons[monitor] = _position(MONITORS[monitor], since)
                if not reasons[monitor]:
                    wanted.remove(monitor)
            time.sleep(0.02 if wanted else 0.0)
        for monitor in wanted:
            self.leave_out(int(monitor), reasons.get(monitor, "it does not answer"))
        x[~self.good] = np.nan
        return x

    def response(self) -> np.ndarray:
        """Measure the response [mm/A] of all steerers; 0 for one that cannot be used. Names what is not as stored."""
        measured = np.zeros_like(STORED)
        for number, steerer in enumerate(STEERERS):
            start, before = read(f"{steerer}:set"), self.orbit()
            try:
                put(steerer, start + MEASURED_STEP_A)
                measured[:, number] = (self.orbit() - before) / MEASURED_STEP_A
                put(steerer, start)
            except Trouble as trouble:
                print(f"{steerer} is left alone: {trouble}", flush=True)
                put_back({steerer: start})
        strong = np.abs(STORED) > 3.0
        ratio = np.where(strong & self.good[:, None], measured / np.where(strong, STORED, 1.0), np.nan)
        factors = np.nanmedian(ratio, axis=0)
        for steerer, factor in zip(STEERERS, factors, strict=True):
            if factor < -TOLERANCE:
                print(f"{steerer} has inverted polarity; it is used with the sign that it has", flush=True)
            elif abs(factor) <= TOLERANCE:
                print(f"{steerer} does not move the beam; it is left alone", flush=True)
            elif abs(factor - 1.0) > TOLERANCE:
                print(f"{steerer} kicks {factor:.2f} times as much as it should", flush=True)
        usable = np.abs(factors) > TOLERANCE
        for monitor in np.flatnonzero(self.good):
            wanted = (factors * STORED[monitor])[usable]
            if np.linalg.norm(measured[monitor, usable] - wanted) > TOLERANCE * np.linalg.norm(wanted):
                self.leave_out(int(monitor), "it does not answer to the steerers as it should")
        return measured * usable

    def run(self) -> None:
        """Correct the orbit. Raises Trouble when it cannot be corrected; then it is not as it was."""
        response = self.response()
        x = self.orbit()
        for _ in range(STEPS):
            flat = _rms(x)
            if flat <= GOAL_MM:
                break
            kicks = -np.linalg.pinv(response[self.good], rcond=1e-3) @ x[self.good]
            kicks *= min(1.0, MAX_STEP_A / np.abs(kicks).max(initial=MAX_STEP_A))
            for steerer, kick in zip(STEERERS, kicks, strict=True):
                if kick:
                    put(steerer, read(f"{steerer}:set") + kick)
            x = self.orbit()
            if _rms(x) > 1.05 * flat:
                raise Trouble(f"a step made the orbit worse: {flat:.3f} -> {_rms(x):.3f} mm rms")
        if _rms(x) > GOAL_MM:
            print(f"the goal of {GOAL_MM} mm is out of reach", flush=True)
        print(f"orbit corrected to {_rms(x):.3f} mm rms at {self.good.sum()} monitors", flush=True)


def correct() -> None:
    """Correct the orbit, or leave everything as it was."""
    before = {steerer: read(f"{steerer}:set") for steerer in STEERERS}
    try:
        Correction().run()
    except BaseException:  # Ctrl-C too
        put_back(before)
        raise


def _position(monitor: str, since: float) -> tuple[float, str]:
    """Read a position [mm]; with the reason if it cannot be used."""
    try:
        got = pv(f"{monitor}:rdX").get_with_metadata(use_monitor=False, timeout=1.0)
    except (Trouble, epics.ca.ChannelAccessException):
        got = None
    if got is None or got["value"] is None:
        return np.nan, "it does not answer"
    if got["severity"] == epics.INVALID_ALARM:
        return np.nan, "it is INVALID"
    if not np.isfinite(got["value"]):
        return np.nan, "it shows NaN"
    if got["timestamp"] < since or abs(time.time() - got["timestamp"]) > FRESH_S:
        return np.nan, f"its time stamp is {time.time() - got['timestamp']:.0f} s old, older than the last setpoint"
    return float(got["value"]), ""


def _stamp(name: str) -> float:
    got = pv(name).get_with_metadata(use_monitor=False, timeout=1.0)
    if got is None:
        raise Trouble(f"{name} does not answer")
    return float(got["timestamp"])


def _rms(x: np.ndarray) -> float:
    return float(np.sqrt(np.nanmean(x**2)))


if __name__ == "__main__":
    main(correct)
