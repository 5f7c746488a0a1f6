"""Numbers on the command line: one spelling, finite, and small enough for the journal, whatever the option."""

from collections.abc import Iterator
from typing import Any, get_args

import pytest
import typer
from each_case import each_case

from gnomon.cli import COMMANDS
from gnomon.cli.lazy import load
from gnomon.cli.number_texts import MAX_WHOLE, check_number, whole_number
from unit.cli.commands import gnomon

WRONG = ["1_0", "nan", "inf", "-inf", "1e999", "\u0663", "0x10", "", "9" * 5000]


def numeric(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for parameter in command.params:
        annotation = parameter.type_descriptor.annotation
        if {int, float} & {annotation, *get_args(annotation)}:
            yield path, parameter
    for name, below in getattr(command, "commands", {}).items():
        yield from numeric(below, (*path, name))


NUMERIC = [found for entry in COMMANDS for found in numeric(load(entry), (entry.name,))]


def test_most_commands_have_numbers() -> None:
    assert len(NUMERIC) > 40


@each_case(NUMERIC, lambda case: f"{' '.join(case[0])} {case[1].name}")
def test_every_number_of_every_command_is_read_in_one_spelling(path: tuple[str, ...], parameter: Any) -> None:
    for text in WRONG:
        value = [text] if parameter.nargs == -1 or parameter.multiple else text
        with pytest.raises(typer.BadParameter):
            parameter.process_value(typer.Context(typer.core.TyperCommand(path[-1])), value)


@pytest.mark.parametrize(
    "arguments",
    [
        ("log", "show", "99999999999999999999"),
        ("log", "show", "1.0"),
        ("log", "--from", "9999999999999999999999"),
        ("log", "undo", "1_0"),
        ("get", "X", "--timeout", "nan"),
        ("get", "X", "--timeout", "1e9"),
        ("log", "archive", "--timeout", "0"),
        ("monitor", "X", "--duration", "inf"),
        ("replay", "--from", "1", "--to", "2", "--prefix", "", "--settle", "inf"),
        ("replay", "--from", "1", "--to", "2", "--prefix", "", "--settle", "1e300"),
        ("replay", "--from", "1", "--to", "2", "--prefix", "", "--timeout", "1e300"),
        ("replay", "--from", "1", "--to", "2", "--prefix", "", "--settle", "1_0"),
        ("init", "ring.lte", "--energy-ev", "inf"),
    ],
)
def test_a_number_that_cannot_be_is_wrong_use(arguments: tuple[str, ...]) -> None:
    result = gnomon(*arguments)
    assert result.exit_code == 2, result.output
    assert "Invalid value for" in result.output


def test_whole_numbers_end_where_the_journal_does() -> None:
    assert whole_number(str(MAX_WHOLE)) == MAX_WHOLE
    assert whole_number(" +12 ") == 12
    with pytest.raises(typer.BadParameter, match="too large"):
        whole_number(str(MAX_WHOLE + 1))
    assert check_number("1e-3") == 1e-3
