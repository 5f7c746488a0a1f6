"""Documents are compared place by place, by the names of their parts."""

from gnomon.db.document_difference import Difference, differences

RING = {
    "name": "demo",
    "elements": [{"name": "Q1", "k1": 2.5}, {"name": "Q2", "k1": -2.5}],
    "limits": [1, 2],
    "orbit": [{"x": 1}, {"x": 2}],
    "optics": {"a": 1, "b": 2},
}


def test_equal_documents_have_no_differences() -> None:
    assert differences(RING, dict(RING)) == ()


def test_values_parts_and_lists_that_differ_are_named_by_their_place() -> None:
    changed = RING | {
        "elements": [{"name": "Q1", "k1": 2.6, "length": 0.2}, {"name": "Q3"}],
        "limits": [1, 3],
        "orbit": [{"x": 1}, {"x": 5}],
        "title": "new",
    }
    assert differences(RING, changed) == (
        Difference("elements.Q1.k1", "2.5", "2.6"),
        Difference("elements.Q1.length", "", "0.2"),
        Difference("elements.Q2", '{"name": "Q2", "k1": -2.5}', ""),
        Difference("elements.Q3", "", '{"name": "Q3"}'),
        Difference("limits", "[1, 2]", "[1, 3]"),
        Difference("orbit[1].x", "2", "5"),
        Difference("title", "", '"new"'),
    )


def test_an_order_that_changed_is_a_difference() -> None:
    turned = RING | {"elements": RING["elements"][::-1], "optics": {"b": 2, "a": 1}}  # type: ignore[index]
    assert [each.place for each in differences(RING, turned)] == ["elements (order)", "optics (order)"]


def test_long_values_are_cut_and_true_is_not_one() -> None:
    (long,) = differences({"a": "x" * 100}, {"a": 1})
    assert (len(long.before), long.before[-3:]) == (60, "...")
    assert differences({"a": 1}, {"a": True}) == (Difference("a", "1", "true"),)
