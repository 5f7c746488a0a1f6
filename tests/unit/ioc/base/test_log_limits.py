"""Whatever a client sends, the log stays one line for one event, and short of what a terminal obeys."""

import io
import logging

import pytest

from gnomon.ioc.base.log_limits import SafeFormatter, SparingLog

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
