"""The system's limit on open files follows the guard's."""

import logging
import resource

import pytest

from gnomon.ioc.base.config import GuardConfig
from gnomon.ioc.base.open_files import raise_open_file_limit


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[int, int]]:
    held = {"now": (1024, 4096)}
    monkeypatch.setattr(resource, "getrlimit", lambda _: held["now"])
    monkeypatch.setattr(resource, "setrlimit", lambda _, new: held.update(now=new))
    return held


def test_the_limit_is_raised_to_what_connections_need(limits: dict[str, tuple[int, int]]) -> None:
    raise_open_file_limit(GuardConfig(max_connections=1000))
    assert limits["now"] == (3100, 4096)


def test_a_hard_limit_that_is_too_low_is_logged(
    limits: dict[str, tuple[int, int]], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        raise_open_file_limit(GuardConfig(max_connections=5000))
    assert limits["now"] == (4096, 4096)
    assert "the system allows 4096 open files" in caplog.text


def test_a_limit_that_is_high_enough_is_left_alone(limits: dict[str, tuple[int, int]]) -> None:
    raise_open_file_limit(GuardConfig(max_connections=100))
    assert limits["now"] == (1024, 4096)
