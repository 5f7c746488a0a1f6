"""Near names: what a person meant who wrote a name in other letters, in part, or with a slip."""

import pytest

from gnomon.lattice.near_names import near_names, near_names_hint

NAMES = (
    "S1PR:set",
    "Q1PTR:set",
    "Q1PDR:set",
    "Q1PDR:rdbk",
    "TUNEZR:rdH",
    "TUNEZR:rdV",
    "beam:twiss:x:tune",
    "dt:queue",
)


@pytest.mark.parametrize(
    ("asked", "first"),
    [
        ("q1pdr:set", ["Q1PDR:set"]),
        ("tune", ["TUNEZR:rdH", "TUNEZR:rdV", "beam:twiss:x:tune"]),
        ("q1pd*", ["Q1PDR:set", "Q1PDR:rdbk"]),
        ("Q1PDR", ["Q1PDR:set", "Q1PDR:rdbk"]),
        ("Q1PDRset", ["Q1PDR:set"]),
    ],
)
def test_the_nearest_names_come_first(asked: str, first: list[str]) -> None:
    assert near_names(asked, NAMES)[: len(first)] == first


def test_a_text_that_resembles_no_name_has_no_near_names() -> None:
    assert near_names("zzz", NAMES) == []
    assert near_names("T", NAMES) == []
    assert near_names_hint("zzz", NAMES) == ""


def test_the_hint_names_so_many_at_most() -> None:
    assert near_names_hint("tune", NAMES, 2) == "; near names: TUNEZR:rdH, TUNEZR:rdV"
