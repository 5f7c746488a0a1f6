"""Search messages: what we send is well formed, what comes back is understood or passed over."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.ioc.servers.pva.search_messages import (
    SearchAnswer,
    answer,
    answers,
    beacon,
    handed_on,
    question,
    question_of,
    search_datagrams,
)
from gnomon.ioc.wire.pva_framing import WireError


def _answer(order: str, ids: tuple[int, ...], address: bytes = bytes(16), found: bool = True) -> bytes:
    body = bytes(12) + struct.pack(order + "I16sH", 77, address, 5075) + b"\x03tcp"
    body += struct.pack(f"{order}?H{len(ids)}I", found, len(ids), *ids)
    return struct.pack(order + "BBBBI", 0xCA, 2, 0xC0 if order == ">" else 0x40, 4, len(body)) + body


def test_a_search_has_the_bytes_of_the_specification() -> None:
    (datagram,) = search_datagrams(["AB"], sequence=0x01020304, reply_port=0x1234, unicast=True)
    body = bytes.fromhex("01020304 80 000000") + bytes(16) + bytes.fromhex("1234 01 03") + b"tcp"
    body += bytes.fromhex("0001 00000000 02") + b"AB"
    assert datagram == bytes.fromhex("ca 02 80 03") + struct.pack(">I", len(body)) + body


def test_many_names_share_datagrams_that_no_network_breaks() -> None:
    names = [f"MDIZ{i:04}:rdX" for i in range(3000)]
    datagrams = list(search_datagrams(names, 1, 2, unicast=False))
    assert max(map(len, datagrams)) <= 1472
    assert len(datagrams) < 50
    assert all(name.encode() in b"".join(datagrams) for name in names)


def test_known_names_are_not_asked_for_and_ids_stay() -> None:
    (datagram,) = search_datagrams(["A", "B"], 1, 2, unicast=True, known={"A"})
    assert datagram.endswith(bytes.fromhex("0001 00000001 01") + b"B")
    assert list(search_datagrams(["A"], 1, 2, unicast=True, known={"A"})) == []


def test_a_name_above_253_bytes_has_a_long_length() -> None:
    (datagram,) = search_datagrams(["x" * 300], 1, 2, unicast=True)
    assert bytes.fromhex("fe 0000012c") + b"x" * 300 in datagram


@pytest.mark.parametrize("order", [">", "<"])
def test_an_answer_is_read_in_both_byte_orders(order: str) -> None:
    assert list(answers(_answer(order, (3, 5)))) == [SearchAnswer(77, (3, 5), "", 5075)]


def test_an_answer_may_name_another_address() -> None:
    address = bytes(10) + b"\xff\xff" + bytes([10, 1, 2, 3])
    assert [found.host for found in answers(_answer(">", (0,), address))] == ["10.1.2.3"]
    assert [found.host for found in answers(_answer(">", (0,), bytes(10) + b"\xff\xff" + bytes(4)))] == [""]


def test_an_answer_that_a_name_is_not_found_is_passed_over() -> None:
    assert list(answers(_answer(">", (0,), found=False))) == []


def test_several_answers_in_a_datagram_are_all_read() -> None:
    assert [found.ids for found in answers(_answer(">", (1,)) + _answer("<", (2,)))] == [(1,), (2,)]


@given(st.binary(max_size=200), st.integers(0, 56))
def test_broken_datagrams_are_passed_over(noise: bytes, cut: int) -> None:
    assert list(answers(_answer(">", (1, 2))[:cut])) == []
    for found in answers(bytes([0xCA, 2, 0x80, 4]) + noise):
        assert 0 <= found.port < 65536


def _question(names: list[str], unicast: bool = False) -> tuple[str, bytes, str]:
    (datagram,) = search_datagrams(names, 77, 4040, unicast)
    asked = question_of(datagram)
    assert asked is not None
    return asked


def test_a_question_is_read_as_it_was_written() -> None:
    origin, body, order = _question(["T:a", "x" * 300])
    asked = question(body, order)
    assert origin == ""
    assert asked.names == ((0, b"T:a"), (1, b"x" * 300))
    assert (asked.sequence, asked.port, asked.host, asked.must_reply, asked.unicast) == (77, 4040, "", False, False)


def test_our_answer_is_read_by_our_own_search() -> None:
    _, body, order = _question(["T:a", "T:b"])
    (found,) = answers(answer(bytes(range(12)), question(body, order), [1], 5075))
    assert found == SearchAnswer(sequence=77, ids=(1,), host="", port=5075)


def test_a_question_handed_on_keeps_who_asked_and_is_not_handed_on_again() -> None:
    _, body, order = _question(["T:a"], unicast=True)
    assert question(body, order).unicast
    asking = question_of(handed_on(body, order, asked_at="10.0.0.5", sender="10.0.0.9"))
    assert asking is not None
    asked = question(*asking[1:])
    assert (asking[0], asked.host, asked.port, asked.unicast) == ("10.0.0.5", "10.0.0.9", 4040, False)
    assert asked.names == ((0, b"T:a"),)


def test_a_question_for_another_transport_names_nothing() -> None:
    _, body, order = _question(["T:a"])
    assert question(body.replace(b"\x03tcp", b"\x03udp"), order).names == ()


@given(st.binary(max_size=80))
def test_a_broken_question_is_refused_and_nothing_worse(noise: bytes) -> None:
    _, body, order = _question(["T:a", "T:b"])
    for end in range(len(body)):
        with pytest.raises(WireError):
            question(body[:end], order)
    question_of(noise)
    with suppress(WireError):
        question(noise, "<")


def test_a_beacon_has_the_bytes_of_the_specification() -> None:
    body = bytes(range(12)) + bytes.fromhex("00 05 0000") + bytes(16) + bytes.fromhex("13d3 03") + b"tcp\xff"
    assert beacon(bytes(range(12)), 5, 5075) == bytes.fromhex("ca 02 c0 00") + struct.pack(">I", len(body)) + body
