"""Numbers on the command line: the spelling of `parse_number` alone, finite, and within what a journal can hold."""

from collections.abc import Callable
from typing import Any, get_args

import typer

__all__ = ["MAX_WHOLE", "check_number", "number_pair", "read_strictly", "whole_number"]

#: Largest whole number, that of a command for one, which the journal's database takes.
MAX_WHOLE = 2**63 - 1


def check_number(text: str) -> float:
    """Read a number as `parse_number` does. Raises typer.BadParameter for `1_0`, `nan`, `inf`, `1e999`, and others."""
    from gnomon.lattice.text import NotANumberError, parse_number

    try:
        return parse_number(text)
    except NotANumberError as error:
        raise typer.BadParameter(str(error)) from error


def number_pair(text: str, option: str) -> tuple[float, float]:
    """Read two numbers with a comma between them, the value of an option. Raises typer.BadParameter."""
    from gnomon.lattice.text import NotANumberError, parse_number, shorten

    try:
        first, second = (parse_number(part.strip()) for part in text.split(","))
    except (NotANumberError, ValueError):
        raise typer.BadParameter(
            f"{shorten(text)} is not a pair of numbers such as 0.85,0.73", param_hint=option
        ) from None
    return first, second


def whole_number(text: str) -> int:
    """Read a whole number, such as that of a command. Raises typer.BadParameter."""
    from gnomon.lattice.text import shorten

    check_number(text)
    stripped = text.strip()
    if not stripped.lstrip("+-").isdecimal():
        raise typer.BadParameter(f"{shorten(text)} is not a whole number: use digits alone")
    number = int(stripped)
    if abs(number) > MAX_WHOLE:
        raise typer.BadParameter(f"{shorten(text)} is too large: the limit is {MAX_WHOLE}")
    return number


def read_strictly(parameter: Any) -> None:
    """Have texts of a numeric parameter of a command checked before typer reads them, which takes `1_0` and `nan`."""
    annotation = parameter.type_descriptor.annotation
    kinds = {*get_args(annotation), annotation}
    check: Callable[[str], float]
    if int in kinds:
        check = whole_number
    elif float in kinds:
        check = check_number
    else:
        return
    process = parameter.process_value

    def process_value(ctx: Any, value: Any) -> Any:
        for text in value if isinstance(value, list | tuple) else (value,):
            if isinstance(text, str):
                try:
                    check(text)
                except typer.BadParameter as error:
                    raise typer.BadParameter(error.message, ctx=ctx, param=parameter) from error
        return process(ctx, value)

    parameter.process_value = process_value
