"""The application under test: its output, its exit code, and its end with all that it has started."""

import os
import sys
import time

import psutil
import pytest
from patience import PATIENCE_S

from gnomon.testing.scenarios import Application
from gnomon.testing.scenarios.application import ApplicationError


def shell(script: str) -> Application:
    return Application(["/bin/sh", "-c", script], {"PATH": os.defpath, "GNOMON_PREFIX": "X:"})


def ended(application: Application) -> int | None:
    end = time.monotonic() + PATIENCE_S
    while application.running and time.monotonic() < end:
        time.sleep(0.01)
    return application.poll()


def test_output_exit_code_and_environment() -> None:
    application = shell('echo "prefix $GNOMON_PREFIX"; echo wrong >&2; exit 3')
    application.start()
    assert ended(application) == 3
    assert application.output == "prefix X:\nwrong\n"
    assert application.took_s < 10.0


def test_a_signal_gives_the_exit_code_of_a_shell() -> None:
    application = shell("kill -TERM $$")
    application.start()
    assert ended(application) == 128 + 15


def test_its_end_takes_along_all_that_it_has_started() -> None:
    application = shell("sleep 60 & echo $!; wait")
    application.start()
    end = time.monotonic() + PATIENCE_S
    while not application.output and time.monotonic() < end:
        time.sleep(0.01)
    child = int(application.output)
    application.end()
    assert not application.running
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_a_program_that_is_not_there_is_told() -> None:
    with pytest.raises(ApplicationError, match=r"no_such_program: the application cannot be started"):
        Application(["no_such_program"], {}).start()


def test_one_that_was_never_started_neither_runs_nor_has_to_be_ended() -> None:
    application = Application([sys.executable], {})
    application.end()
    assert (application.running, application.poll(), application.output) == (False, None, "")
