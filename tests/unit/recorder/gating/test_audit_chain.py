"""The audit log: every change of a line shows, and a crash is told from a change."""

import json
from pathlib import Path

import pytest

from gnomon.recorder.gating import AuditChain, verify_audit
from gnomon.recorder.recorder_errors import AuditChainError, ReplayError


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of five events."""
    path = tmp_path / "audit.jsonl"
    write(path, 5)
    return path


def write(path: Path, count: int) -> str:
    chain = AuditChain(path)
    for number in range(count):
        chain.note("write", {"pv": f"P:H{number}:set", "to": 0.1 * number, "text": 'a "b" ,"hash":"'})
    chain.close()
    return chain.head


def test_a_log_is_intact_and_its_lines_are_json(log: Path) -> None:
    check = verify_audit(log)
    assert check.intact
    assert (check.events, check.unfinished, check.recovered) == (5, 0, 0)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["pv"] for line in lines] == [f"P:H{n}:set" for n in range(5)]
    assert [line["prev"] for line in lines] == ["0" * 64, *(line["hash"] for line in lines[:-1])]
    assert check.head == lines[-1]["hash"]


def test_a_log_is_continued_by_the_next_process(log: Path) -> None:
    head = write(log, 2)
    assert verify_audit(log).events == 7
    assert verify_audit(log).head == head


@pytest.mark.parametrize("number", range(1, 6))
def test_a_changed_line_is_named(log: Path, number: int) -> None:
    lines = log.read_text().splitlines(keepends=True)
    lines[number - 1] = lines[number - 1].replace("P:H", "P:V")
    log.write_text("".join(lines))
    check = verify_audit(log)
    assert check.broken == number
    assert "was changed" in check.reason
    with pytest.raises(AuditChainError, match=f"line {number}"):
        AuditChain(log)


@pytest.mark.parametrize("number", range(1, 5))
def test_a_line_that_was_taken_out_or_moved_or_repeated_is_named(log: Path, number: int) -> None:
    lines = log.read_text().splitlines(keepends=True)
    for changed in (
        [*lines[: number - 1], *lines[number:]],
        [*lines[: number - 1], lines[number], lines[number - 1], *lines[number + 1 :]],
    ):
        log.write_text("".join(changed))
        assert verify_audit(log).broken == number
    log.write_text("".join([*lines[:number], lines[number - 1], *lines[number:]]))
    assert verify_audit(log).broken == number + 1


def test_a_single_changed_bit_shows(log: Path) -> None:
    content = log.read_bytes()
    for position in range(0, len(content) - 1, 3):  # the last end of line is what a crash may leave out
        log.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        check = verify_audit(log)
        assert not check.intact or check.unfinished, position
        assert not check.unfinished


def test_a_crash_in_the_last_line_is_no_change_and_the_log_goes_on(log: Path) -> None:
    content = log.read_bytes()
    start = content.rstrip(b"\n").rfind(b"\n") + 1
    for end in (start + 1, start + 40, len(content) - 2):
        log.write_bytes(content[:end])
        check = verify_audit(log)
        assert check.intact
        assert (check.events, check.unfinished) == (4, end - start)
        write(log, 2)
        check = verify_audit(log)
        assert check.intact
        assert (check.events, check.recovered) == (7, 1), "four, one about the unfinished line, two more"


def test_a_line_that_only_lacks_its_end_counts(log: Path) -> None:
    log.write_bytes(log.read_bytes()[:-1])
    assert (verify_audit(log).events, verify_audit(log).unfinished) == (5, 0)
    write(log, 1)
    assert (verify_audit(log).events, verify_audit(log).intact) == (6, True)


def test_an_unfinished_line_that_was_changed_later_is_named(log: Path) -> None:
    log.write_bytes(log.read_bytes()[:-20])
    write(log, 1)
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join([*lines[:4], lines[4].replace("H4", "H5"), *lines[5:]]))
    assert verify_audit(log).broken == 5
    log.write_text("".join([*lines[:4], *lines[5:]]))
    assert verify_audit(log).broken == 5, "the line about it is left without it"


def test_a_cut_end_shows_by_the_head_alone(log: Path) -> None:
    head = verify_audit(log).head
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(lines[:3]))
    check = verify_audit(log)
    assert check.intact
    assert check.head != head


def test_one_process_writes_at_a_time(log: Path) -> None:
    chain = AuditChain(log)
    with pytest.raises(AuditChainError, match="another process"):
        AuditChain(log)
    chain.close()
    AuditChain(log).close()


def test_an_error_stops_a_replay_as_that_of_any_audit(log: Path) -> None:
    chain = AuditChain(log)
    with pytest.raises(ReplayError, match="name of the chain"):
        chain.note("write", {"prev": "x"})
    chain.close()
    with pytest.raises(ReplayError):
        chain.note("write", {})
    with pytest.raises(ReplayError):
        AuditChain(log / "below")
    with pytest.raises(AuditChainError, match="cannot be read"):
        verify_audit(log.with_name("none"))


def test_an_empty_log_is_intact(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert verify_audit(tmp_path / "empty").events == 0
