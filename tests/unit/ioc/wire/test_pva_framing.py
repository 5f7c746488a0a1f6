"""PV Access as bytes: headers, strings and addresses, and what is not one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.ioc.wire.pva_framing import (
    FROM_SERVER,
    Command,
    WireError,
    address_of,
    header,
    message,
    packed_address,
    string,
    text_at,
)


def test_a_message_has_the_bytes_of_the_specification() -> None:
    assert message(Command.ECHO, b"abc", FROM_SERVER) == bytes.fromhex("ca 02 c0 02 00000003") + b"abc"


@pytest.mark.parametrize(("flags", "order"), [(0x80, ">"), (0x00, "<")])
def test_a_header_is_read_in_its_byte_order(flags: int, order: str) -> None:
    size = (258).to_bytes(4, "big" if order == ">" else "little")
    found = header(b"..." + bytes([0xCA, 2, flags, 7]) + size, 3)
    assert (found.version, found.command, found.size, found.order) == (2, 7, 258, order)


@pytest.mark.parametrize(
    "data", [b"", bytes.fromhex("ca028002000000"), b"GET / HTTP", bytes.fromhex("ca00800200000000")]
)
def test_bytes_that_are_not_a_header_are_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        header(data)


@given(st.text(max_size=400))
def test_a_string_is_read_as_it_was_written(text: str) -> None:
    data = b"x" + string(text) + b"y"
    assert text_at(data, 1, ">") == (text.encode(), len(data) - 1)


@pytest.mark.parametrize(("length", "size"), [(0, "00"), (253, "fd"), (254, "fe 000000fe"), (300, "fe 0000012c")])
def test_a_string_has_the_size_of_the_specification_before_it(length: int, size: str) -> None:
    data = bytes.fromhex(size) + b"x" * length
    assert string("x" * length) == data
    assert text_at(data, 0, ">") == (b"x" * length, len(data))


def test_a_long_size_is_read_in_the_byte_order_of_the_message_even_of_an_empty_string() -> None:
    assert text_at(bytes.fromhex("fe 02000000") + b"ab", 0, "<") == (b"ab", 7)
    assert text_at(bytes.fromhex("fe 00000000"), 0, ">") == (b"", 5)


def test_a_header_that_is_cut_off_behind_other_bytes_is_refused() -> None:
    with pytest.raises(WireError):
        header(bytes(20) + message(Command.ECHO, b"")[:7], 20)


def test_a_null_string_is_empty_and_a_cut_one_is_refused() -> None:
    assert text_at(b"\xff", 0, ">") == (b"", 1)
    for cut in (b"", b"\x03ab", b"\xfe\x00\x00", b"\xfe\x00\x00\x01\x00abc"):
        with pytest.raises(WireError):
            text_at(cut, 0, ">")


@pytest.mark.parametrize("host", ["10.1.2.3", "fe80::1", "2001:db8::5"])
def test_an_address_is_read_as_it_was_written(host: str) -> None:
    assert len(packed_address(host)) == 16
    assert address_of(packed_address(host)) == host


def test_the_sender_s_own_address_is_empty_in_both_forms() -> None:
    assert address_of(bytes(16)) == address_of(packed_address("0.0.0.0")) == ""
