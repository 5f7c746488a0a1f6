"""Texts in YAML are read with their lines: of keys, of items, and of what is given twice."""

import pytest
import yaml

from gnomon.db.yaml_lines import line_of, read_yaml

TEXT = """\
base: &base
  a: 1
ports:
  <<: *base
  b: [2,
      3]
"""


def test_values_come_with_the_lines_of_their_keys_and_items() -> None:
    root, data, repeated = read_yaml(TEXT)
    assert data["ports"] == {"a": 1, "b": [2, 3]}
    assert repeated is None
    assert [line_of(root, place) for place in (("ports",), ("ports", "b"), ("ports", "b", 1))] == [3, 5, 6]
    assert line_of(root, ("ports", "none", "deeper")) == 3


@pytest.mark.parametrize(
    ("text", "repeated"), [("a: 1\nb: 2\na: 3", ("a", 3)), ("x:\n- {c: 1}\n- c: 1\n  c: 2", ("c", 4))]
)
def test_a_key_that_is_given_twice_is_told_with_its_line(text: str, repeated: tuple[str, int]) -> None:
    assert read_yaml(text)[2] == repeated


def test_a_key_beside_the_same_one_that_is_merged_is_given_once() -> None:
    assert read_yaml("base: &base {a: 1}\nother: {<<: *base, a: 2}")[1:] == (
        {"base": {"a": 1}, "other": {"a": 2}},
        None,
    )


@pytest.mark.parametrize("text", ["", "# nothing", "null", "---"])
def test_an_empty_text_is_a_section_without_keys(text: str) -> None:
    assert read_yaml(text)[1] == {}


def test_a_text_that_is_not_yaml_is_refused() -> None:
    with pytest.raises(yaml.YAMLError):
        read_yaml("a: [1")
    with pytest.raises(RecursionError):
        read_yaml("[" * 500)
