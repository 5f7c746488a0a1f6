"""Calibration of an imperfect machine as `gnomon calibrate` makes it, of commands carried out in process."""

from datetime import UTC, datetime

import numpy as np
from bench.gate_coverage import Sample, Session
from numpy.typing import NDArray

from gnomon.lattice import Key
from gnomon.recorder.bounds import rows_of
from gnomon.recorder.bounds.calibration import MeasuredChange, Noise, noise_of
from gnomon.recorder.bounds.calibration import calibrate as fit
from gnomon.recorder.bounds.predictor import Predictor

Floats = NDArray[np.float64]

#: Orbits that are read one after the other for the noise, and readings that are averaged for a response.
REPEATED, AVERAGED = 100, 10
#: Size of the steps of the response: of the gate's limit for the orbit, of a tune change of 0.01.
PART = 0.5
MIN_PER_BIN = 299


def measure_response(session: Session) -> tuple[Noise, Floats, list[MeasuredChange]]:
    """Measure the noise, the readings of the baseline, and the response.

    The response is that to each steerer, each supply of quadrupoles and sextupoles, and the RF.
    """
    machine, commands = session.machine, session.commands
    machine.restore()
    repeated = [machine.read() for _ in range(REPEATED)]
    noise = noise_of(np.array([r.orbit for r in repeated]), np.array([r.tune for r in repeated]))
    less = np.sqrt(2.0 / AVERAGED)
    found = []
    for key, unit in commands.unit.items():
        value = commands.inside(key, commands.baseline[key] + PART * unit)
        if value == commands.baseline[key]:
            value = commands.inside(key, commands.baseline[key] - PART * unit)
        before = machine.read(AVERAGED)
        machine.apply({key: value})
        after = machine.read(AVERAGED)
        machine.restore()
        machine.wait(AVERAGED)
        found.append(
            MeasuredChange({key: value}, rows_of(after) - rows_of(before), {}, less * noise.rows, rows_of(before))
        )
    return noise, np.mean([rows_of(each) for each in repeated], axis=0), found


def calibrate(session: Session, for_discrepancy: list[Sample], for_shell: list[Sample]) -> Predictor:
    """Fit the parameters to a measured response, and discrepancy and shell to two sets of commands."""
    machine = session.machine
    noise, still, response = measure_response(session)
    ring = machine.ring
    baseline = ring.nominal.updated(machine.baseline)
    document = fit(
        ring.nominal,
        baseline,
        noise,
        response,
        _in_places(for_discrepancy, for_shell, machine.baseline),
        made=datetime.fromtimestamp(1e-9 * machine.now_ns, UTC).isoformat(timespec="milliseconds"),
        author="bench",
        still=still,
        min_per_bin=MIN_PER_BIN,
        for_discrepancy=len(for_discrepancy) / (len(for_discrepancy) + len(for_shell)),
    )
    return Predictor.of(document, ring)


def _in_places(first: list[Sample], others: list[Sample], baseline: dict[Key, float]) -> list[MeasuredChange]:
    """Put the commands where the calibration's own draw takes those for the discrepancy, and those for the shell.

    Its draw knows numbers alone, so the commands stay exchangeable; and each bin of the shell has the stated number.
    """
    order = np.random.default_rng(0).permutation(len(first) + len(others))
    placed: dict[int, MeasuredChange] = {}
    for place, sample in zip(order.tolist(), [*first, *others], strict=True):
        moved = {key: value for key, value in sample.settings.items() if value != baseline[key]}
        effect = rows_of(sample.after) - rows_of(sample.before)
        placed[place] = MeasuredChange(sample.changes, effect, moved, shown=rows_of(sample.before))
    return [placed[place] for place in range(len(order))]
