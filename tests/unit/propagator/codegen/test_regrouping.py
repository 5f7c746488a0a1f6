"""Regrouped numbers are equal but for rounding, and take the operations that a person would write."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from gnomon.propagator.codegen.lane_emitter import PassWriter
from gnomon.propagator.codegen.lane_recording import LaneLoop, Repetition
from gnomon.propagator.codegen.recorded_numbers import Level, Recorded, Tape
from gnomon.propagator.codegen.regrouping import regrouped
from gnomon.propagator.physics.phase_space import PhaseSpace

Formula = Callable[..., Any]

CASES: dict[str, tuple[Formula, str]] = {
    "gathered": (lambda b, c, d, w, x, y: x + (b * x) * y, "x + b * (x * y)"),
    "multiplied out": (lambda b, c, d, w, x, y: y - b * (c * x + d), "y - b * c * x - b * d"),
    "not multiplied out": (lambda b, c, d, w, x, y: y - b * (x * y + d), "y - b * (x * y + d)"),
    "same rest": (lambda b, c, d, w, x, y: y + b * x - c * x, "y + (b - c) * x"),
    "same factor": (lambda b, c, d, w, x, y: x + b * (x * x) - b * (y * y), "x + b * (x * x - y * y)"),
    "relative to the factor": (lambda b, c, d, w, x, y: y - b * (x * x) - b * c, "y - b * (c + x * x)"),
    "shared factor": (lambda b, c, d, w, x, y: x + b * (y * y) + c * (y * x), "x + y * (b * y + c * x)"),
    "of a particle": (lambda b, c, d, w, x, y: (y - (b - c * w)) - d * x, "y - d * x + (c * w - b)"),
    "a particle's product": (lambda b, c, d, w, x, y: x + (b * w) * y, "x + b * w * y"),
}


def written(formula: Formula) -> tuple[str, Any]:
    """The statements for a formula in one line, each name replaced by its expression; and what to compute with."""
    tape = Tape()
    names = ("b", "c", "d", "w", "x", "y")
    levels = (*[Level.CALL] * 3, Level.PARTICLE, Level.LANE, Level.LANE)
    inputs = [tape.input(name, level) for name, level in zip(names, levels, strict=True)]
    start = PhaseSpace(x=inputs[4], y=inputs[5])
    (end,) = regrouped(tape, [formula(*inputs)])
    lines = PassWriter([Repetition([LaneLoop(start, start._replace(ct=end))])], {}).body()
    statements = [line.strip().split(" = ") for line in lines if " = " in line]
    values = {name: text for name, text in statements if not text.startswith("s[")}
    text = values.pop("s[CT + i]")
    for name, value in reversed(values.items()):
        inner = f"({value})" if "+" in value or "-" in value else value
        text = text.replace(name, value if text.startswith(name) else inner)
    return text, values


@pytest.mark.parametrize("case", CASES)
def test_sums_and_products_are_written_as_a_person_would(case: str) -> None:
    formula, expected = CASES[case]
    text, _ = written(formula)
    assert text == expected


@pytest.mark.parametrize("case", CASES)
def test_a_regrouped_number_has_the_same_value(case: str) -> None:
    formula, _ = CASES[case]
    text, _ = written(formula)
    rng = random.Random(1)
    for _ in range(20):
        values = {name: rng.uniform(-2.0, 2.0) for name in "bcdwxy"}
        assert eval(text, {}, values) == pytest.approx(formula(**values), abs=1e-14)


def test_a_sum_that_is_used_twice_is_computed_once() -> None:
    tape = Tape()
    b, x, y = tape.input("b"), tape.input("x", Level.LANE), tape.input("y", Level.LANE)
    both = b * x + y
    product, more = regrouped(tape, [both * both, both + x])
    assert isinstance(product, Recorded)
    assert product.operands == (both, both)
    assert more.operands[0] is both
