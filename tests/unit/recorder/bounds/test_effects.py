"""Derivatives of the effect of a command by the parameters, against differences of the exact propagator."""

import numpy as np
import pytest

from gnomon.lattice import Key
from gnomon.recorder.bounds.calibrated_model import CalibratedModel
from gnomon.recorder.bounds.parameters import ParameterKind
from unit.recorder.bounds.rings import (
    FOCUS,
    RF,
    SEXTUPOLE,
    STEER_X,
    STEER_Y,
    TrueMachine,
    mls,
    moved,
    propagator,
    space,
)

#: Difference of a parameter of each kind, and which of them are tried.
DIFFERENCE = {ParameterKind.OFFSET_X: 1e-3, ParameterKind.OFFSET_Y: 1e-3}
TRIED = 5


def _model() -> CalibratedModel:
    return CalibratedModel(space(), mls().nominal, np.zeros(space().size), propagator())


def _difference(number: int, step: float, changes: dict[Key, float]) -> np.ndarray:
    values = np.zeros(space().size)
    values[number] = step
    return (TrueMachine(values).effect(changes) - TrueMachine(-values).effect(changes)) / (2 * step)


@pytest.mark.parametrize(
    ("key", "part", "tunes"),
    [(STEER_X, 1e-3, False), (STEER_Y, 1e-3, False), (FOCUS, 1e-5, True), (RF, 1e-3, True), (SEXTUPOLE, -1e-2, True)],
)
def test_derivatives_by_all_kinds_of_parameters_are_those_of_the_exact_propagator(
    key: Key, part: float, tunes: bool
) -> None:
    model, changes = _model(), moved(key, part)
    change, reason = model.change({}, changes)
    assert change is not None, reason
    jacobian = model.effects.jacobian(change)
    offsets = (ParameterKind.OFFSET_X, ParameterKind.OFFSET_Y) if key == FOCUS else ()
    for kind, where in space().slices.items():
        if kind in offsets:
            continue
        exact = jacobian[:, where]
        largest = np.abs(exact).max(axis=0)
        for number in np.argsort(largest)[-TRIED:][largest[np.argsort(largest)[-TRIED:]] > 1e-9]:
            difference = _difference(where.start + number, DIFFERENCE.get(kind, 1e-4), changes)
            # Elements count as if they were thin; tunes by steerers are second derivatives by the orbit.
            for rows, part_off in ((slice(0, -2), 0.05), (slice(-2, None), 0.2))[: 1 + tunes]:
                size = max(np.abs(difference[rows]).max(), 1e-6)
                np.testing.assert_allclose(
                    exact[rows, number], difference[rows], atol=part_off * size, err_msg=f"{kind} {rows}"
                )


@pytest.mark.parametrize(("kind", "plane"), [(ParameterKind.OFFSET_X, 0), (ParameterKind.OFFSET_Y, 2)])
def test_offsets_of_quadrupoles_are_distances_from_the_beam(kind: ParameterKind, plane: int) -> None:
    changes = moved(FOCUS, 1e-5)
    change, _ = _model().change({}, changes)
    assert change is not None
    where = space().slices[kind]
    columns = _model().effects.jacobian(change)[:, where]
    number = int(np.argmax(np.abs(columns[:-2]).max(axis=0)))
    values = np.zeros(space().size)
    values[where.start + number] = 1e-3
    machine = TrueMachine(values)
    elements = [mls().index[name] for name in space().displaced]
    orbit = machine.beam({}).orbit
    distance = values[where] - 0.5e3 * (orbit[elements] + orbit[[i + 1 for i in elements]])[:, plane]
    expected = machine.effect(changes)[:-2]
    np.testing.assert_allclose((columns @ distance)[:-2], expected, atol=0.05 * np.abs(expected).max())


def test_the_effect_at_known_parameters_is_the_machines() -> None:
    values = np.zeros(space().size)
    values[space().slices[ParameterKind.STEERER_ROLL]] = 1e-3
    values[space().slices[ParameterKind.MONITOR_GAIN_X]] = 0.02
    values[space().slices[ParameterKind.STEERER_GAIN]] = 0.03
    model = CalibratedModel(space(), mls().nominal, values, propagator())
    changes = moved(STEER_X, 5e-3)
    change, _ = model.change({}, changes)
    assert change is not None
    expected = TrueMachine(values).effect(changes)
    np.testing.assert_allclose(model.effects.effect(change), expected, atol=2e-3 * np.abs(expected).max())
