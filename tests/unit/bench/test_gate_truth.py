"""Imperfect machines of the bench: a ramp that may be looked at in any order, and setpoints that are put back."""

from functools import cache

import numpy as np
from bench.gate_machine import START_NS
from bench.gate_truth import TrueMachine, machine_of

from gnomon.db import shipped_machine
from gnomon.lattice import Key

STEERER, OTHER = 0.1, 0.2


@cache
def machine() -> TrueMachine:
    return machine_of(shipped_machine("mls"), 1, START_NS)


def keys() -> list[Key]:
    ring = machine().ring
    steerers = [m.supply for m in ring.magnets if m.main.startswith("kick")]
    return [(name, "current") for name in steerers[:2]]


def test_a_ramp_is_the_same_in_any_order_and_leaves_the_machine_where_it_is() -> None:
    true, (key, _) = machine(), keys()
    before = true.moment()
    changes = {key: true.setting(key) + STEERER}
    parts = (0.25, 0.5, 0.75, 1.0)
    forward = [moment.orbit for moment in true.ramp(changes, parts)]
    backward = [moment.orbit for moment in true.ramp(changes, parts[::-1])]
    np.testing.assert_allclose(forward, backward[::-1], atol=1e-9)
    assert true.settings == true.baseline
    np.testing.assert_allclose(true.moment().orbit, before.orbit, atol=1e-9)
    # A ramp ends where the setpoint brings it at once, with its iron.
    true.apply(changes)
    np.testing.assert_allclose(true.moment().orbit, forward[-1], atol=1e-9)
    true.restore()


def test_setpoints_go_back_to_the_baseline_but_for_the_prepared_ones() -> None:
    true, (one, other) = machine(), keys()
    true.apply({one: true.baseline[one] + STEERER})
    true.restore({other: true.baseline[other] + OTHER})
    away = {key for key, value in true.settings.items() if value != true.baseline[key]}
    assert away == {other}
    assert true.setting(other) == true.settings[other]
    true.restore()
    assert true.settings == true.baseline
