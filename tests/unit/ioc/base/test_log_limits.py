"""A log stays one line for one event, and short of what a terminal obeys, whatever a client sends."""

import io
import json
import logging
import sys
from datetime import datetime
from types import SimpleNamespace

import pytest

from gnomon.ioc.base import log_limits
from gnomon.ioc.base.log_limits import OneLine, SafeFormatter, SparingLog, log_to_stderr, through_one_line

HOSTILE = "op\x1b[2J\r\n2026-11-26 INFO all is well"


def logged(record_of: str, error: BaseException | None = None) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(SafeFormatter("%(levelname)s %(message)s"))
    record = logging.LogRecord(
        "test", logging.INFO, "", 0, "put by %s", (record_of,), (type(error), error, None) if error else None
    )
    handler.emit(record)
    return stream.getvalue()


def test_a_message_stays_on_its_line_with_escapes_shown() -> None:
    assert logged(HOSTILE) == "INFO put by op\\x1b[2J\\r\\n2026-11-26 INFO all is well\n"


def test_a_traceback_keeps_its_lines_and_nothing_else() -> None:
    text = logged("op", ValueError(HOSTILE))
    assert "ValueError: op\\x1b[2J\\r" in text
    assert all(line.isprintable() for line in text.split("\n"))


def test_a_sparing_log_escapes_what_clients_send(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        SparingLog(logging.getLogger("gnomon.test")).info("refused for %s", HOSTILE)
    (record,) = caplog.records
    assert record.getMessage() == "refused for op\\x1b[2J 2026-11-26 INFO all is well"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Clock:
    made = Clock()
    monkeypatch.setattr(log_limits, "time", made)
    caplog.set_level(logging.INFO)
    return made


def messages(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def test_a_sparing_log_writes_one_line_a_second_and_counts_the_others(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    log = SparingLog(logging.getLogger("gnomon.test"))
    for clock.now, number in ((0.0, 1), (0.5, 2), (0.999, 3), (1.0, 4), (2.5, 5)):
        log.warning("line %d", number)
    assert messages(caplog) == [
        ("WARNING", "line 1"),
        ("WARNING", "line 4 (2 more such lines left out)"),
        ("WARNING", "line 5"),
    ]


def test_a_line_that_is_left_out_is_not_formatted(clock: Clock) -> None:
    log = SparingLog(logging.getLogger("gnomon.test"))
    log.info("first")
    log.info("%d", "not a number")


def test_a_line_has_a_bounded_length_and_a_percent_sign_in_it_is_text(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    SparingLog(logging.getLogger("gnomon.test")).info("100 %s " + "x" * 1000)
    ((_, line),) = messages(caplog)
    assert line.startswith("100 %s xxx")
    assert len(line) == log_limits.MAX_LENGTH


def test_warnings_of_a_library_become_single_lines_with_their_cause(
    clock: Clock, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = OneLine(SparingLog(logging.getLogger("gnomon.test")), "library", harmless=("known:",))
    through_one_line("a.library", handler)
    library = logging.getLogger("a.library")
    try:
        library.warning("known: nothing to worry about")
        library.info("started")
        library.error("no %s", "answer")
        clock.now = 2.0
        try:
            raise ValueError("a reason\nof two lines")
        except ValueError:
            library.exception("failed")
    finally:
        library.handlers, library.propagate = [], True
    assert messages(caplog) == [
        ("WARNING", "library: no answer"),
        ("WARNING", "library: failed: ValueError: a reason of two lines"),
    ]
    assert "Traceback" not in capsys.readouterr().err


def test_a_library_that_writes_through_one_line_reaches_no_other_handler(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    written: list[str] = []
    log = SimpleNamespace(warning=lambda text, *values: written.append(text % values))
    library = logging.getLogger("b.library")
    library.addHandler(logging.StreamHandler())
    through_one_line("b.library", OneLine(log, "b"))  # type: ignore[arg-type]
    try:
        library.warning("once")
    finally:
        library.handlers, library.propagate = [], True
    assert written == ["b: once"]
    assert messages(caplog) == []


def test_a_server_logs_to_standard_error_from_info_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    before = root.level
    monkeypatch.setattr(sys, "stderr", stream := io.StringIO())
    try:
        log_to_stderr()
        logging.getLogger("gnomon.test").info("ready %s", HOSTILE)
        logging.getLogger("gnomon.test").debug("detail")
    finally:
        root.setLevel(before)
    (line,) = stream.getvalue().splitlines()
    assert line.endswith(" INFO ready op\\x1b[2J\\r\\n2026-11-26 INFO all is well")


def test_a_log_in_json_has_an_object_a_line_with_errors_in_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    before = root.level
    monkeypatch.setattr(sys, "stderr", stream := io.StringIO())
    try:
        log_to_stderr("json")
        logging.getLogger("gnomon.test").info("ready %s", HOSTILE)
        try:
            raise ValueError("µ\n")
        except ValueError:
            logging.getLogger("gnomon.test").exception("failed")
    finally:
        root.setLevel(before)
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (first["level"], first["logger"], first["message"]) == ("INFO", "gnomon.test", f"ready {HOSTILE}")
    assert datetime.fromisoformat(first["time"]).tzinfo is not None
    assert "ValueError: µ" in second["error"]
    assert stream.getvalue().isascii()
