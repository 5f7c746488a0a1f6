"""A lattice of Tracy or thor-scsi in the words that pyAT's Tracy reader knows.

That reader wants the frame `define lattice; ... end;`, which thor-scsi dropped, no `LINE = (...)`, and no functions or
nested parentheses in expressions. Expressions are worked out here; what has no value is left to the reader.
"""

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping

FUNCTIONS: Mapping[str, Callable[[float], float]] = {
    "arctan": math.atan,
    "sqrt": math.sqrt,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
}
OPERATORS: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,
}


def tracy_text(text: str) -> str:
    """The text as pyAT reads it, in lower case, with a number for every expression that has one."""
    text = re.sub(r"\{[^}]*\}|#[^\n]*", "", text).lower()
    text = re.sub(r"\bline\s*=\s*\(([^)]*)\)", r"\1", text)
    text = re.sub(r"\bbpm\b(?=\s*[;,])", "beampositionmonitor", text)
    text = re.sub(r"^\s*define\s+lattice\s*;|\bend\s*;\s*$", "", text)
    variables = {"pi": math.pi}
    statements = [_statement(" ".join(s.split()), variables) for s in text.split(";") if s.strip()]
    return ";".join(["define lattice", *statements, "end", ""])


def _statement(statement: str, variables: dict[str, float]) -> str:
    label, colon, body = statement.rpartition(":")
    parts = re.split(r",(?![^(]*\))", body)
    made = []
    for part in parts:
        key, equals, expression = part.partition("=")
        value = _value(expression, variables) if equals else None
        if value is not None and not colon:
            variables[key.strip()] = value
        made.append(part if value is None else f"{key}={value!r}")
    return label + colon + ",".join(made)


def _value(expression: str, variables: Mapping[str, float]) -> float | None:
    """The value of an expression of numbers, variables and functions; None when it is not one."""
    try:
        value = _node(ast.parse(expression.strip().replace("^", "**"), mode="eval").body, variables)
    except (SyntaxError, ValueError, KeyError, ArithmeticError, RecursionError, MemoryError):
        return None
    return value if math.isfinite(value) else None


def _node(node: ast.expr, variables: Mapping[str, float]) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name):
            return variables[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_node(operand, variables)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _node(operand, variables)
        case ast.BinOp(left=left, op=op, right=right):
            return OPERATORS[type(op)](_node(left, variables), _node(right, variables))
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]):
            return FUNCTIONS[name](_node(argument, variables))
    raise ValueError(ast.dump(node))
