"""The word list finds what must not come back, and says where and what to write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools import words


@pytest.mark.parametrize(
    ("text", "line", "found", "better"),
    [
        ("a set point", 1, "set point", "setpoint"),
        ("first\nthe corrector magnet\n", 2, "corrector magnet", "steerer"),
        ("first\n\nIn order to", 3, "In order to", "to"),
        ("from gnomon.ioc.puts import PutReply", 1, "gnomon.ioc.puts", "the new module"),
    ],
)
def test_a_finding_has_its_line_and_the_better_words(text: str, line: int, found: str, better: str) -> None:
    assert list(words.findings(text)) == [(line, found, better)]


def test_good_words_are_left_alone() -> None:
    assert list(words.findings("The setpoint of a steerer; the readback of its power supply; gnomon.ioc.outputs")) == []


def test_the_recommended_words_are_not_findings_themselves() -> None:
    assert [better for better in words.WORDS.values() if list(words.findings(better))] == []


@pytest.mark.parametrize(
    ("source", "finding"),
    [
        ('"""What a module has."""', [(1, "What")]),
        ('class Beam:\n    """Whether it is there."""', [(2, "Whether")]),
        ('async def find():\n    """Where it is."""\n', [(2, "Where")]),
        ('class Beam:\n    def size(self):\n        """How large it is."""', [(3, "How")]),
        ('"""Size of a beam: what a monitor shows."""', []),
        ('"""Whole turns."""\n\nQUESTION = "What is it?"', []),
    ],
)
def test_docstrings_that_open_with_a_question_are_found(source: str, finding: list[tuple[int, str]]) -> None:
    assert [(line, word) for line, word, _ in words.openings(source)] == finding


@pytest.mark.parametrize("name", ["test_what_cannot_be_is_refused", "test_when_many_wait_newcomers_are_served"])
def test_names_of_tests_that_open_with_a_question_are_found(name: str) -> None:
    found = list(words.openings_of_test_names(f"import math\n\n\ndef {name}() -> None: ..."))
    assert [(line, where) for line, where, _ in found] == [(4, name)]


@pytest.mark.parametrize("name", ["test_whole_numbers_are_read", "test_a_clerk_who_waits_is_served", "what_is_said"])
def test_other_names_are_left_alone(name: str) -> None:
    assert list(words.openings_of_test_names(f"def {name}() -> None: ...")) == []


@given(st.data())
def test_a_pattern_is_looked_for_in_every_text_that_it_could_be_in(data: st.DataObject) -> None:
    pattern = data.draw(st.sampled_from(sorted(words.PATTERNS)))
    assert words.letters_of(pattern) in data.draw(st.from_regex(pattern))


def test_few_patterns_are_looked_for_everywhere() -> None:
    assert sum(not words.letters_of(pattern) for pattern in words.PATTERNS) < len(words.PATTERNS) / 5


@pytest.mark.slow(2)  # make lint asks the same
def test_texts_that_people_read_have_no_banned_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert words.main() == 0, capsys.readouterr().out
