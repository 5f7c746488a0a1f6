"""One procedure at a time at a prefix, whoever starts it; the lock names its holder, and ends with its process."""

import subprocess
import sys
from pathlib import Path

import pytest

from gnomon.clients.server_choice import Target
from gnomon.procedures.one_at_a_time import BusyError, holder_of, only_one

TARGET = Target("A:", {"EPICS_CA_ADDR_LIST": "127.0.0.1", "EPICS_CA_MAX_ARRAY_BYTES": "1"})

#: Holds the lock until its input ends.
HOLDER = """
import sys
from gnomon.clients.server_choice import Target
from gnomon.procedures.one_at_a_time import only_one
with only_one(Target("A:", {"EPICS_CA_ADDR_LIST": "127.0.0.1"}), "orm"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def test_a_second_procedure_is_told_who_runs_and_begins_when_that_has_ended() -> None:
    with only_one(TARGET, "bba"):
        assert "bba (process " in holder_of(TARGET)
        told = r"prefix 'A:': bba \(process \d+, since .* UTC\) runs there; wait for it"
        with pytest.raises(BusyError, match=told), only_one(TARGET, "orm"):
            pass
        with only_one(Target("B:", TARGET.environment), "orm"):
            pass
        with only_one(Target("A:", {"EPICS_CA_ADDR_LIST": "127.0.0.2"}), "orm"):
            pass
    assert holder_of(TARGET) == ""
    with only_one(TARGET, "orm"):
        pass


def test_the_lock_of_another_process_ends_with_it() -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdin=-1, stdout=-1, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert f"orm (process {holder.pid}, since " in holder_of(TARGET)
        holder.kill()
        holder.wait()
    assert holder_of(TARGET) == ""


def test_a_state_folder_that_cannot_be_made_locks_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with only_one(TARGET, "orm"):
        assert holder_of(TARGET) == ""
    assert "are not locked" in caplog.text
