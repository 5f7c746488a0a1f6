"""The word list finds what must not come back, and says where and what to write."""

import pytest

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


def test_texts_that_people_read_have_no_banned_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert words.main() == 0, capsys.readouterr().out
