"""Answers of the Archiver Appliance: to the last bit and nanosecond, whatever bytes they hold, and however they end."""

import json
import re
import struct
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gnomon.recorder.archives import (
    ArchiveError,
    Sample,
    parse_answer_at,
    parse_history_json,
    parse_pb,
    read_archive,
    saved_at,
)

ANSWERS = Path(__file__).parent / "answers"
SUPPLY = "HS4P1D1R:set"


def at(text: str, nanosecond: int = 0) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000 + nanosecond


def test_samples_of_several_chunks_are_read_to_the_bit_through_the_escapes() -> None:
    awkward = struct.unpack("<d", bytes.fromhex("0a0d1b0a0d1b0a40"))[0]  # line feed, carriage return, escape
    found = read_archive(ANSWERS / "supply.raw")
    assert found.samples == [
        Sample(at("2025-12-31T23:59:50", 10), SUPPLY, 1.25),
        Sample(at("2025-12-31T23:59:59", 999_999_999), SUPPLY, awkward),
        Sample(at("2026-01-01T00:00:13", 27), SUPPLY, -0.5),
        Sample(at("2026-01-01T00:55:38", 500_000_000), SUPPLY, 0.75),
        Sample(at("2026-01-01T02:00:00", 1), SUPPLY, 9.0, 3),
    ]
    assert (found.unread, found.arrays) == ([], set())


def test_each_type_of_scalar_is_read_and_arrays_are_named() -> None:
    found = read_archive(ANSWERS / "kinds.pb")
    assert [(sample.pv, sample.value) for sample in found.samples] == [
        ("K:string", "ein\ntext µ"),
        ("K:short", -13),
        ("K:short", 27),
        ("K:float", 0.15625),
        ("K:enum", 2),
        ("K:byte", -10),
        ("K:int", -100000),
    ]
    assert found.arrays == {"K:array"}


def test_a_file_that_ends_anywhere_has_the_samples_before_its_end() -> None:
    data = (ANSWERS / "supply.raw").read_bytes()
    whole = parse_pb(data).samples
    header = data.index(b"\n") + 1
    for end in range(header, len(data)):
        found = parse_pb(data[:end])
        assert found.samples == whole[: len(found.samples)]
        assert len(found.unread) <= 1


def test_a_damaged_line_is_noted_and_the_others_are_read() -> None:
    lines = (ANSWERS / "supply.raw").read_bytes().split(b"\n")
    lines[1] = b"\xff\xff"
    found = parse_pb(b"\n".join(lines))
    assert len(found.samples) == 4
    assert found.unread == ["line 2: a sample of HS4P1D1R:set that ends in a number"]
    lines[4] = b"\x08\x01"  # the header of the second chunk
    found = parse_pb(b"\n".join(lines))
    assert len(found.samples) == 1
    assert found.unread[1] == "line 5: a header that has no type, PV and year; its samples are left out"


def test_a_history_in_json_has_scalars_arrays_by_name_and_what_cannot_be_read() -> None:
    found = parse_history_json((ANSWERS / "history.json").read_bytes())
    assert found.samples == [
        Sample(1_767_222_000_823_158_037, SUPPLY, 1.25),
        Sample(1_767_225_618_000_000_005, SUPPLY, -0.5),
    ]
    assert found.unread == ["sample 3 of HS4P1D1R:set has no time or value"]
    assert found.arrays == {"HS4P1D1R:wave"}


def test_values_at_a_time_are_the_last_ones_before_it_and_invalid_ones_are_missing() -> None:
    archive = read_archive(ANSWERS / "supply.raw")
    assert saved_at(archive.samples, at("2025-12-31T23:59:50", 9)).values == {}
    assert saved_at(archive.samples, at("2025-12-31T23:59:50", 10)).values == {SUPPLY: "1.25"}
    assert saved_at(reversed(archive.samples), at("2026-01-01T01:00:00")).values == {SUPPLY: "0.75"}
    (left,) = saved_at(archive.samples, at("2026-02-01T00:00:00")).left
    assert (left.pv, left.reason, left.missing) == (SUPPLY, "was INVALID", True)


def test_an_answer_at_a_time_has_states_as_whole_numbers() -> None:
    saved = saved_at(parse_answer_at((ANSWERS / "at.json").read_bytes()).samples, at("2027-01-01"))
    assert saved.values == {SUPPLY: "1.25", "QSPAZR:cmd1": "1"}
    assert [left.pv for left in saved.left] == ["VS3P1D1R:set"]


@pytest.mark.parametrize("data", [b"", b"PV,VALUE\n", b"<html>502</html>", b'{"a": ', b"[1]", b'[{"meta": {}}]'])
def test_another_file_is_refused_by_its_name(data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "answer"
    file.write_bytes(data)
    with pytest.raises(ArchiveError, match="answer: "):
        read_archive(file)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b" [" + 16 * b" ", "larger than 1.52588e-05 MiB of JSON; take getData.raw (PB), or a shorter time"),
        (33 * b"x", "larger than 3.05176e-05 MiB; take a shorter time"),
        (b"[" + 15 * b" ", "not JSON: "),
    ],
)
def test_a_file_that_is_too_large_is_refused_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data: bytes, told: str
) -> None:
    monkeypatch.setattr("gnomon.recorder.archives.archive_file.MAX_PB_BYTES", 32)
    monkeypatch.setattr("gnomon.recorder.archives.archive_file.MAX_JSON_BYTES", 16)
    file = tmp_path / "answer"
    file.write_bytes(data)
    with pytest.raises(ArchiveError, match=re.escape(told)):
        read_archive(file)


def test_an_empty_answer_is_that_of_a_pv_that_is_not_archived() -> None:
    assert parse_pb(b"").samples == []
    assert parse_pb(b"\n\n").samples == []


@pytest.mark.parametrize("meta", ["[1]", '"A"', "5"])
def test_a_history_whose_meta_is_not_an_object_is_refused(meta: str) -> None:
    with pytest.raises(ArchiveError, match=r"a PV has no meta\.name and data"):
        parse_history_json(f'[{{"meta": {meta}, "data": []}}]')


def test_a_time_or_number_that_nothing_can_hold_is_noted() -> None:
    huge = "1" + 400 * "0"
    answer = (
        f'{{"A": {{"secs": 1, "val": {huge}}}, "B": {{"secs": {huge}, "val": 1}}, "C": {{"secs": -1, "val": 1}}, '
        '"D": {"secs": 7258118400, "val": 1}, "E": {"secs": 7258118400, "nanos": 1, "val": 1}}'
    )
    found = parse_answer_at(answer)
    assert found.samples == [Sample(7_258_118_400 * 10**9, "D", 1)]
    assert found.unread == [f"the value of {name} has no time or value" for name in "ABCE"]
    header, sample = (ANSWERS / "supply.raw").read_bytes().split(b"\n")[:2]
    late = header.replace(b"\x18\xe9\x0f", b"\x18\x8f\x4e")  # of the year 9999
    assert late != header
    assert parse_pb(b"\n".join([late, sample, b""])).unread == [
        "line 2: a sample of HS4P1D1R:set that has a time before 1970 or after 2200"
    ]


def test_something_else_that_begins_like_an_archive_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gnomon.recorder.archives.archive_samples.MAX_UNREAD", 3)
    rows: list[dict[str, object]] = [{}] * 4
    with pytest.raises(ArchiveError, match="more than 3 lines cannot be read, the first one: sample 1 of A has no"):
        parse_history_json(json.dumps([{"meta": {"name": "A"}, "data": rows}]))
