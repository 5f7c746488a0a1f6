import pytest

from gnomon.db.canonical_name import canonical_name


@pytest.mark.parametrize(
    "name", ["Q1:set", "T:Q1:set", "Q1:set.VAL", "T:Q1:set.VAL", "ca://T:Q1:set", "pva://Q1:set.VAL", " T:Q1:set\t"]
)
def test_every_spelling_of_a_pv_has_one_name(name: str) -> None:
    assert canonical_name(name, "T:") == "Q1:set"


@pytest.mark.parametrize("name", ["Q1:set.DESC", "Q1:set.VAL$", "q1:set", "X:Q1:set", "Q1:set.VALUE"])
def test_a_name_of_another_pv_is_left_as_it_is(name: str) -> None:
    assert canonical_name(name, "T:") == name
