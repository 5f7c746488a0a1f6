"""The calculator of elegant's files."""

import math

import pytest

from gnomon.lattice.exchange.findings import ExchangeError
from gnomon.lattice.exchange.rpn import Rpn


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.8 -1 *", -1.8),
        ("360 dtor 16 /", math.pi / 8),
        ("pi rtod", 180.0),
        ("c_mks", 299792458.0),
        ("3 sqr 4 sqr + sqrt", 5.0),
        ("2 chs 3 mult", -6.0),
        ("7 dup *", 49.0),
        ("2 8 exch /", 4.0),
        ("2 8 swap pop", 8.0),
        ("0.5 dasin", 30.0),
        ("30 dsin", 0.5),
        ("2 10 pow", 1024.0),
        ("1 ln 1 exp +", math.e),
        ("4 rec", 0.25),
        ("-2.5 abs int", 2.0),
    ],
)
def test_words_give_what_they_mean(text: str, value: float) -> None:
    assert Rpn().value(text) == pytest.approx(value, abs=1e-15, rel=1e-15)


def test_memory_lasts_and_keeps_its_case() -> None:
    rpn = Rpn()
    rpn.run("0.4 sto LQ 2 * sto twice")
    assert rpn.value("LQ") == 0.4
    assert rpn.value("rcl twice") == 0.8
    with pytest.raises(ExchangeError, match="the word 'lq' in 'lq' is not known"):
        rpn.value("lq")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 frobnicate", "the word 'frobnicate' in '1 frobnicate' is not known"),
        ("1_0", "the word '1_0'"),
        ("inf", "the word 'inf'"),
        ("1 +", r"\+ in '1 \+' needs 2 numbers, but there are 1"),
        ("1 2", "leaves 2 numbers; it must leave one"),
        ("", "leaves 0 numbers"),
        ("1 0 /", "division"),
        ("-1 sqrt", "sqrt in '-1 sqrt': "),
        ("rcl nothing", "nothing is stored under that name"),
        ("1 sto", "the name is missing"),
        ("1 sto pi", "that name is taken"),
        ("1e308 10 *", "gives no finite number"),
        ("2 " + "dup " * 2000, "more than 1000 numbers"),
    ],
)
def test_an_invalid_expression_is_refused_with_the_reason(text: str, said: str) -> None:
    with pytest.raises(ExchangeError, match=said):
        Rpn().value(text)
