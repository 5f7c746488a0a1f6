"""Conditions of `if` and `while`: one comparison, or two with `&&` or `||` between them, as MAD-X takes them."""

import operator
from collections.abc import Callable

from gnomon.lattice.exchange.madx.expressions import Expression, parse_expression
from gnomon.lattice.exchange.madx.madx_error import MadxError
from gnomon.lattice.exchange.madx.tokens import Token, join
from gnomon.lattice.text import shorten

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "<>": operator.ne,
}


def holds(words: list[Token], evaluate: Callable[[Expression], float], place: str) -> bool:
    """Tell whether a condition holds. Raises MadxError for what MAD-X does not take for one."""
    links = [i for i, word in enumerate(words) if word.text in ("&&", "||")]
    if not links:
        return _compare(words, evaluate, place)
    if len(links) > 1:
        raise MadxError(place, f"the condition {shorten(join(words))}: MAD-X takes one '&&' or '||'; use nested ifs")
    first = _compare(words[: links[0]], evaluate, place)
    second = _compare(words[links[0] + 1 :], evaluate, place)
    return (first and second) if words[links[0]].text == "&&" else (first or second)


def _compare(words: list[Token], evaluate: Callable[[Expression], float], place: str) -> bool:
    marks = [i for i, word in enumerate(words) if word.text in COMPARISONS]
    before = [word.text for word in words[: marks[0]]] if marks else []
    if len(marks) != 1 or before.count("(") != before.count(")"):
        why = f"the condition {shorten(join(words))} is not EXPRESSION, one of < > <= >= == <>, EXPRESSION"
        raise MadxError(place, why)
    left = evaluate(parse_expression(words[: marks[0]], place))
    right = evaluate(parse_expression(words[marks[0] + 1 :], place))
    return COMPARISONS[words[marks[0]].text](left, right)
