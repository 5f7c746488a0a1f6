"""Topics: one level for each prefix, whatever is in it, and answers nowhere where they could do harm."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.services.forward.topics import Topics, topic_level

TOPICS = Topics("gnomon", "TWIN:")


@pytest.mark.parametrize(
    ("prefix", "level"),
    [("TWIN:", "TWIN:"), ("", "%empty"), ("A/B:", "A%2FB:"), ("#+", "%23%2B"), ("$SYS", "%24SYS"), ("50%", "50%25")],
)
def test_a_prefix_is_one_level(prefix: str, level: str) -> None:
    assert topic_level(prefix) == level
    assert Topics("gnomon", prefix).of("commands", prefix) == f"gnomon/{level}/commands"


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=20), st.text(max_size=20))
def test_no_two_prefixes_share_a_level(one: str, other: str) -> None:
    a, b = topic_level(one), topic_level(other)
    assert a
    assert not set("/+#$\0") & set(a)
    assert (a == b) == (one.encode("utf-8", "replace") == other.encode("utf-8", "replace"))


@pytest.mark.parametrize(
    ("topic", "may"),
    [
        ("replies/me", True),
        ("gnomon/TWIN:/answer/me", True),
        ("gnomon/TWIN:/commands", False),
        ("gnomon/OTHER:/request/settings", False),
        ("gnomon", False),
        ("$SYS/broker", False),
        ("a/#", False),
        ("a/+/b", False),
        ("", False),
        ("x" * 501, False),
    ],
)
def test_answers_go_to_no_topic_of_ours_or_of_the_broker(topic: str, may: bool) -> None:
    assert TOPICS.may_answer_at(topic) is may
