"""Numbers are spelt one way, and text of others cannot act on a terminal."""

import pytest

from gnomon.lattice.text import MAX_NUMBER_LENGTH, NotANumberError, is_port, parse_number, printable, shorten


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1.0),
        ("-0.5", -0.5),
        ("+1.", 1.0),
        (".5", 0.5),
        ("1e-3", 1e-3),
        ("1E+3", 1e3),
        (" 2 \t", 2.0),
        ("007", 7.0),
    ],
)
def test_a_number_is_digits_sign_point_and_exponent(text: str, number: float) -> None:
    assert parse_number(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "1_0",
        "nan",
        "inf",
        "-Infinity",
        "0x10",
        "1,5",
        "1 2",
        "\u0661",
        "1e",
        "e5",
        ".",
        "+",
        "--1",
        "1d3",
        "1\x000",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(NotANumberError, match="is not a number"):
        parse_number(text)


def test_a_number_beyond_float64_is_refused_not_infinite() -> None:
    with pytest.raises(NotANumberError, match="too large"):
        parse_number("1e999")
    with pytest.raises(NotANumberError):
        parse_number("0" * (MAX_NUMBER_LENGTH + 1))
    assert parse_number("0" * (MAX_NUMBER_LENGTH - 1) + "1") == 1.0


@pytest.mark.parametrize("number", [1.7976931348623157e308, 5e-324, 0.1, -1 / 3])
def test_every_bit_of_a_written_number_comes_back(number: float) -> None:
    assert parse_number(repr(number)) == number
    assert parse_number(f"{number:.17e}") == number


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("HS4P1D1R \u00b5m \u00b0", "HS4P1D1R \u00b5m \u00b0"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("a\nb\r", "a\\nb\\r"),
        ("\u202eevil", "\\u202eevil"),
        ("\udcff", "\\udcff"),
    ],
)
def test_characters_that_could_act_on_a_terminal_are_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_quoted_text_is_short_and_on_one_line() -> None:
    assert shorten("10") == "'10'"
    assert shorten("x" * 58) == "'" + "x" * 58 + "'"
    for length in (59, 60, 1000):
        assert shorten("x" * length) == "'" + "x" * 56 + "..."
    assert shorten("\n" * 58) == "'" + "\\n" * 28 + "..."
    assert shorten("abcdef", 6) == "'ab..."
    assert "\n" not in shorten("a\nb")


@pytest.mark.parametrize("text", ["1", "5064", "65535"])
def test_a_port_is_a_number_in_decimal_digits(text: str) -> None:
    assert is_port(text)


@pytest.mark.parametrize("text", ["", "0", "65536", "\u0663", "+1", "1_0", " 1", "1.0", "9" * 5000])
def test_anything_else_is_not_a_port(text: str) -> None:
    assert not is_port(text)
