"""Texts over Channel Access are UTF-8, both ways; lengths count bytes, and no character is cut."""

import struct
from collections.abc import Iterator

import pytest
from conftest import free_port

from gnomon.db.pvs import Kind, PvSpec
from system.ca.stage import READ, WRITE, RawClient, Served

STRING, CHAR, FLOAT, DOUBLE, CTRL_DOUBLE, CTRL_ENUM, PUT_ACKS = 0, 4, 2, 6, 34, 31, 36
PUTFAIL, ERROR, CREATE_FAIL, WRITE_SILENTLY = 160, 11, 26, 4

LONG = "Größe der Änderung in µm, und noch viel mehr: " + "ß" * 40
SPECS = (
    PvSpec(name="Ü:x", kind=Kind.FLOAT, source="", description=LONG, unit="µm/°µµ", drive=(0.0, 1.1), writable=True),
    PvSpec(
        name="Ü:mode", kind=Kind.ENUM, source="", description="Modus", states=("aus", "ä" * 12, "geöffnet"),
        writable=True,
    ),
    PvSpec(name="Ü:text", kind=Kind.STRING, source="control.x", description="Name", writable=True),
)  # fmt: skip


@pytest.fixture
def foreign() -> Iterator[Served]:
    served = Served(free_port(), specs=SPECS)
    served.publish({"Ü:x": 1.0, "Ü:mode": 1.0, "Ü:text": LONG})
    yield served
    served.stop()


@pytest.fixture
def talking(foreign: Served) -> Iterator[RawClient]:
    client = RawClient(foreign.server.port)
    client.connect("Ü:x", "Ü:mode", "Ü:text", "Ü:text$", "Ü:x.DESC", "Ü:x.DESC$", "Ü:x.PROC")
    yield client
    client.close()


def read(client: RawClient, name: str, data_type: int, count: int = 0) -> bytes:
    client.send(READ, data_type, count, client.sids[name], 1)
    answer = client.wait(READ)
    assert answer.first == 1
    return answer.payload


def test_a_unit_has_seven_bytes_of_whole_characters(talking: RawClient) -> None:
    assert read(talking, "Ü:x", CTRL_DOUBLE)[8:16] == "µm/°".encode() + b"\0\0"


def test_a_state_and_its_name_as_text(talking: RawClient) -> None:
    names = read(talking, "Ü:mode", CTRL_ENUM)[6:]
    assert names[26:52].rstrip(b"\0").decode() == "ä" * 12
    assert read(talking, "Ü:mode", STRING).rstrip(b"\0").decode() == "ä" * 12


def test_a_text_of_39_bytes_ends_between_characters(talking: RawClient) -> None:
    for name in ("Ü:text", "Ü:x.DESC"):
        short = read(talking, name, STRING).rstrip(b"\0")
        assert 38 <= len(short) <= 39
        assert LONG.startswith(short.decode())
    assert read(talking, "Ü:x.DESC$", CHAR).rstrip(b"\0").decode() == LONG


def test_a_text_is_put_as_utf_8_plain_and_long(foreign: Served, talking: RawClient) -> None:
    talking.send(WRITE, STRING, 1, talking.sids["Ü:text"], 1, "größer".encode().ljust(40, b"\0"))
    assert talking.wait(WRITE).first == 1
    data = "noch größer".encode()
    talking.send(WRITE, CHAR, len(data), talking.sids["Ü:text$"], 2, data)
    assert talking.wait(WRITE).first == 1
    assert [value for _, value, _ in foreign.sink.puts] == ["größer", "noch größer"]


def test_a_state_is_put_by_its_name_in_utf_8(foreign: Served, talking: RawClient) -> None:
    talking.send(WRITE, STRING, 1, talking.sids["Ü:mode"], 1, "geöffnet".encode().ljust(40, b"\0"))
    assert talking.wait(WRITE).first == 1
    assert foreign.sink.puts[-1][1] == 2


@pytest.mark.parametrize(("name", "data_type"), [("Ü:text", STRING), ("Ü:text$", CHAR), ("Ü:mode", STRING)])
def test_bytes_that_are_not_utf_8_are_refused_and_move_nothing(
    foreign: Served, talking: RawClient, name: str, data_type: int
) -> None:
    bad = "geöffnet".encode("latin-1")
    count, payload = (1, bad.ljust(40, b"\0")) if data_type == STRING else (len(bad), bad)
    talking.send(WRITE, data_type, count, talking.sids[name], 1, payload)
    assert talking.wait(WRITE).first == PUTFAIL
    talking.send(WRITE_SILENTLY, data_type, count, talking.sids[name], 1, payload)
    assert b"not UTF-8" in talking.wait(ERROR).payload
    assert foreign.sink.puts == []


@pytest.mark.parametrize("data_type", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("text", ["L", "76"])
def test_numbers_of_any_type_put_to_a_long_text_are_codes(
    foreign: Served, talking: RawClient, data_type: int, text: str
) -> None:
    code = {1: "h", 2: "f", 3: "H", 4: "B", 5: "i", 6: "d"}[data_type]
    payload = struct.pack(f">{len(text)}{code}", *text.encode())
    talking.send(WRITE, data_type, len(text), talking.sids["Ü:text$"], 1, payload)
    assert talking.wait(WRITE).first == 1
    assert foreign.sink.puts[-1][1] == text


@pytest.mark.parametrize(("data_type", "number"), [("d", 76.5), ("d", -1.0), ("d", 300.0), ("d", float("nan"))])
def test_numbers_that_are_not_character_codes_are_refused(
    foreign: Served, talking: RawClient, data_type: str, number: float
) -> None:
    talking.send(WRITE, DOUBLE, 1, talking.sids["Ü:text$"], 1, struct.pack(">" + data_type, number))
    assert talking.wait(WRITE).first == PUTFAIL
    assert foreign.sink.puts == []


@pytest.mark.parametrize(("count", "payload"), [(0, b""), (1, b"\0"), (3, b"\0ab")])
def test_an_empty_put_to_a_long_text_is_refused(
    foreign: Served, talking: RawClient, count: int, payload: bytes
) -> None:
    talking.send(WRITE_SILENTLY, CHAR, count, talking.sids["Ü:text$"], 1, payload)
    assert b"an empty text" in talking.wait(ERROR).payload
    assert foreign.sink.puts == []


def test_a_user_name_in_utf_8_reaches_the_sink(foreign: Served) -> None:
    client = RawClient(foreign.server.port)
    client.send(20, payload="jürgen".encode() + b"\0")
    client.connect("Ü:x")
    client.put("Ü:x", 1.0, 1)
    client.wait(WRITE)
    assert foreign.sink.puts[-1][2].user == "jürgen"
    client.close()


def test_a_name_that_is_not_utf_8_is_not_found(foreign: Served) -> None:
    client = RawClient(foreign.server.port)
    client.send(18, first=1, second=13, payload="Ü:x".encode("latin-1") + b"\0")
    assert client.wait(CREATE_FAIL).first == 1
    client.close()


def test_a_drive_limit_read_as_float32_is_taken_as_the_limit(foreign: Served, talking: RawClient) -> None:
    shown = struct.unpack(">f", struct.pack(">f", 1.1))[0]
    assert shown > 1.1
    talking.send(WRITE, FLOAT, 1, talking.sids["Ü:x"], 1, struct.pack(">f", shown))
    assert talking.wait(WRITE).first == 1
    assert foreign.sink.puts[-1][1] == 1.1


def test_a_refusal_without_completion_comes_with_its_reason(talking: RawClient) -> None:
    talking.send(WRITE_SILENTLY, DOUBLE, 1, talking.sids["Ü:x"], 1, struct.pack(">d", float("nan")))
    answer = talking.wait(ERROR)
    assert answer.second == PUTFAIL
    assert answer.payload[16:].rstrip(b"\0").decode() == "Ü:x = nan A is not finite."


def test_an_alarm_cannot_be_acknowledged_and_the_error_says_why(foreign: Served, talking: RawClient) -> None:
    for data_type in (35, 36):
        talking.send(WRITE_SILENTLY, data_type, 1, talking.sids["Ü:x"], 1, b"\0\1")
        answer = talking.wait(ERROR)
        assert answer.second == PUTFAIL
        assert "alarms are not acknowledged here" in answer.payload[16:].decode()
    assert foreign.sink.puts == []


def test_processing_sends_the_reading_again_and_sets_nothing(foreign: Served, talking: RawClient) -> None:
    talking.subscribe("Ü:x", 7)
    first = talking.wait(1).double
    talking.send(WRITE, CHAR, 1, talking.sids["Ü:x.PROC"], 1, b"\1")
    again, answer = talking.receive(), talking.receive()
    assert again is not None
    assert answer is not None
    assert (again.command, answer.command, answer.first) == (1, WRITE, 1)
    assert again.double[3] == first[3]
    assert again.double[2] > first[2]
    assert foreign.sink.puts == []


def test_processing_leaves_the_time_of_what_is_invalid(foreign: Served, talking: RawClient) -> None:
    foreign.publish({}, invalid=("Ü:x",))
    talking.subscribe("Ü:x", 7)
    first = talking.wait(1).double
    talking.send(WRITE, CHAR, 1, talking.sids["Ü:x.PROC"], 1, b"\1")
    assert talking.wait(1).double == first
