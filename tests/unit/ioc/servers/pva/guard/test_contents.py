"""Requests may bring all that real clients send, and nothing that announces more than it has."""

import struct
from pathlib import Path

import pytest

from fuzz.cases import Road, messages
from gnomon.ioc.servers.pva.guard.contents import Contents, ContentsError

CORPUS = Path(__file__).parents[5] / "fuzz" / "corpus"
OPERATIONS, RPC, INIT = range(10, 21), 20, 0x08
MANY = b"\xfe" + struct.pack("<I", 1_000_000_000)


def structure(*fields: bytes) -> bytes:
    return b"\x80\0" + bytes((len(fields),)) + b"".join(b"\x01a" + field for field in fields)


@pytest.mark.parametrize("file", sorted(CORPUS.glob("pva-tcp-p4p-*.bin")), ids=lambda file: file.stem)
def test_requests_of_real_clients_pass(file: Path) -> None:
    contents, checked = Contents(), 0
    for message in messages(Road.PVA_TCP, file.read_bytes()):
        if message[3] in OPERATIONS and len(message) > 17 and (message[16] & INIT or message[3] == RPC):
            contents.check(message[8:], 9, "<")
            checked += 1
    assert checked


@pytest.mark.parametrize(
    "body",
    [
        b"\xff",
        structure(),
        structure(b"\x43", b"\x22") + bytes(12),
        structure(b"\x60") + b"\x03abc",
        structure(b"\x68") + b"\x02\x01a\x01b",
        structure(b"\x4b") + b"\x02" + bytes(16),
        structure(b"\x5b\x02") + bytes(16),
        structure(structure(b"\x20")) + b"\x01",
        b"\xfd\x01\x00" + structure(b"\x20") + b"\x01",
    ],
    ids=lambda body: body.hex(),
)
def test_plain_types_with_their_values_pass(body: bytes) -> None:
    Contents().check(body, 0, "<")
    if len(body) > 3:
        with pytest.raises(ContentsError):
            Contents().check(body[:-1], 0, "<")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (structure(b"\x68") + MANY, "1000000000 values are announced in 0 bytes"),
        (structure(b"\x4b") + MANY + bytes(80), "1000000000 values are announced in 80 bytes"),
        (structure(b"\x60") + MANY, "a text of 1000000000 bytes"),
        (b"\x80\0" + MANY, "1000000000 fields"),
        (b"\x80" + MANY, "a text of"),
        (structure(b"\x8a") + MANY, "0x8a"),
        (structure(b"\x88" + structure()) + MANY, "0x88"),
        (structure(b"\x82") + b"\x68" + MANY, "0x82"),
        (structure(b"\x81\0\0"), "0x81"),
        (b"\xfe\x07\x00", "type 7 was never described"),
        (b"\x80\0\x01\x01a" * 40 + b"\x22" + bytes(4), "deeper than 16"),
        (b"\xfd\x01\x00" * 40 + b"\x22", "deeper than 16"),
        (b"", "cut off"),
    ],
)
def test_a_request_that_announces_more_than_it_holds_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(ContentsError, match=why):
        Contents().check(body, 0, "<")


def test_a_type_is_referred_to_by_its_number() -> None:
    contents = Contents()
    contents.check(b"\xfd\x05\x00" + structure(b"\x68") + b"\x00", 0, "<")
    contents.check(b"\xfe\x05\x00" + b"\x01\x01x", 0, "<")
    with pytest.raises(ContentsError, match="announced"):
        contents.check(b"\xfe\x05\x00" + MANY, 0, "<")


def named(number: int, described: bytes) -> bytes:
    return b"\xfd" + struct.pack("<H", number) + described


def reference(number: int) -> bytes:
    return b"\xfe" + struct.pack("<H", number)


def test_types_that_refer_to_each_other_many_times_are_not_walked_through() -> None:
    contents = Contents()
    contents.check(named(0, structure()), 0, "<")
    contents.check(named(1, structure(*[reference(0)] * 100)), 0, "<")
    with pytest.raises(ContentsError, match="more than 1000 fields"):
        contents.check(named(2, structure(*[reference(1)] * 100)), 0, "<")


def test_types_kept_for_a_client_are_bounded_and_a_number_may_be_reused() -> None:
    contents = Contents()
    wide = structure(*[b"\x22"] * 200)
    for _ in range(500):
        contents.check(named(1, wide) + bytes(800), 0, "<")
    for number in range(2, 2 + 20_000 // 201 - 1):
        contents.check(named(number, wide) + bytes(800), 0, "<")
    with pytest.raises(ContentsError, match="more than 20000 fields together"):
        contents.check(named(500, wide) + bytes(800), 0, "<")


@pytest.mark.parametrize("text", [b"", b"a", b"a" * 253, b"a" * 300])
def test_texts_of_any_length_may_stand_in_an_array(text: bytes) -> None:
    size = bytes((len(text),)) if len(text) < 254 else b"\xfe" + struct.pack("<I", len(text))
    body = structure(b"\x68") + b"\x03" + (size + text) * 3
    Contents().check(body, 0, "<")
    with pytest.raises(ContentsError):
        Contents().check(body[:-1], 0, "<")
