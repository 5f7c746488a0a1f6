"""The text that pyAT writes of a ring in Python: a dictionary, then one element a line. Nothing of it is run."""

import ast
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gnomon.lattice.exchange.findings import ExchangeError
from gnomon.lattice.exchange.source_files import read_text
from gnomon.lattice.exchange.toolbox import load_toolbox
from gnomon.lattice.text import shorten

NAMES: Mapping[str, Any] = {"nan": math.nan, "inf": math.inf, "True": True, "False": False, "None": None}


def read_elements(file: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The properties of the ring that can be kept (energy, name, periodicity, harmonic_number), and its elements.

    Each element is a mapping of its attributes with its class. Raises ExchangeError with the line.
    """
    lines = read_text(file, "at-repr").splitlines()
    first = _value(lines[0], f"{file}: line 1") if lines else None
    if not isinstance(first, dict):
        raise ExchangeError(f"{file}: not at-repr: the first line must be a dictionary of the ring's properties")
    kept = {k: v for k, v in first.items() if k in ("energy", "name", "periodicity", "harmonic_number")}
    elements = []
    for number, line in enumerate(lines[1:], 2):
        if line.strip():
            made = _value(line, f"{file}: line {number}")
            if not isinstance(made, dict) or "Class" not in made:
                raise ExchangeError(f"{file}: line {number}: {shorten(line.strip())} is not an element")
            elements.append(made)
    return kept, elements


def _value(line: str, where: str) -> Any:
    try:
        return _node(ast.parse(line.strip(), mode="eval").body, where)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ExchangeError(f"{where}: not at-repr: {shorten(line.strip())}") from error


def _node(node: ast.expr, where: str) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name) if name in NAMES:
            return NAMES[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            value = _node(operand, where)
            if isinstance(value, int | float):
                return -value
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_node(item, where) for item in items]
        case ast.Dict(keys=keys, values=values):
            return {_node(k, where): _node(v, where) for k, v in zip(keys, values, strict=True) if k is not None}
        case ast.Call(func=ast.Name(id="array"), args=[argument]):
            return _node(argument, where)
        case ast.Call(func=ast.Attribute(value=ast.Name(id="np")), args=[argument], keywords=[]):
            return _node(argument, where)  # a number of numpy, as its repr has it
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=keywords):
            return _element(name, arguments, keywords, where)
    raise ExchangeError(f"{where}: {shorten(ast.unparse(node))} is not a number, text, list or element")


def _element(name: str, arguments: Sequence[ast.expr], keywords: Sequence[ast.keyword], where: str) -> dict[str, Any]:
    classes = load_toolbox()
    named = getattr(classes, name, None)
    if name == "Particle":
        return {}
    if not isinstance(named, type) or not issubclass(named, classes.Element):
        raise ExchangeError(f"{where}: {shorten(name)} is not an element of pyAT")
    words = [str(word) for word in getattr(named, "_BUILD_ATTRIBUTES")]  # noqa: B009 not of every type
    if len(arguments) > len(words):
        raise ExchangeError(f"{where}: {name} takes at most {len(words)} arguments without a name")
    made = {word: _node(value, where) for word, value in zip(words, arguments, strict=False)}
    made |= {k.arg: _node(k.value, where) for k in keywords if k.arg is not None}
    return made | {"Class": name}
