"""Searches and their answers."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.ioc.servers.ca.udp_search import replies
from gnomon.ioc.wire.ca_framing import Command, pack


def searches(*names: str) -> bytes:
    asked = (pack(Command.SEARCH, 5, 13, cid, cid, name.encode() + b"\0") for cid, name in enumerate(names))
    return pack(Command.VERSION, 1, 13, 77, 0) + b"".join(asked)


def test_known_names_are_answered_with_the_sequence_number_and_no_more_bytes_than_asked() -> None:
    data = searches("a", "b", "a", "c")
    ((answer, late_s),) = replies(data, {"a": 0.0, "c": 0.0}.get, 5064)
    assert late_s == 0.0
    assert struct.unpack_from(">HHHHI", answer) == (0, 0, 1, 13, 77)
    assert [struct.unpack_from(">HHHHII", answer, 16 + 24 * i)[5] for i in range(3)] == [0, 2, 3]
    assert len(answer) <= len(data)


def test_unknown_names_are_not_answered() -> None:
    assert list(replies(searches("a"), lambda name: None, 5064)) == []


@pytest.mark.parametrize(
    "data", [b"GET / HTTP", b"\0" * 15, searches("a")[:-1], pack(Command.WRITE, 6, 1, 1, 1, bytes(8))]
)
def test_an_invalid_search_is_refused(data: bytes) -> None:
    with pytest.raises((ValueError, struct.error)):
        list(replies(data, {"a": 0.0}.get, 5064))


@given(st.binary(max_size=300))
def test_any_bytes_are_answered_or_refused_and_never_amplified(data: bytes) -> None:
    try:
        answers = [answer for answer, _ in replies(data, lambda _: 0.0, 5064)]
    except (ValueError, struct.error):
        return
    assert sum(map(len, answers)) <= 2 * len(data)


def test_names_that_are_late_are_answered_by_datagrams_of_their_own() -> None:
    late_s = {"a": 0.0, "b": 1.5, "c": 1.5, "d": 0.0}
    answers = {delay_s: answer for answer, delay_s in replies(searches(*"abcd"), late_s.get, 5064)}
    cids = {
        delay_s: [struct.unpack_from(">I", answer, 16 + 24 * i + 12)[0] for i in range(2)]
        for delay_s, answer in answers.items()
    }
    assert cids == {0.0: [0, 3], 1.5: [1, 2]}
