"""`gnomon record` as a user calls it: begun, ended, listed, shown, exported and imported."""

import json
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from gnomon.cli import connection, record
from gnomon.clients import server_choice
from gnomon.clients.journal_choice import ServedJournal
from gnomon.clients.server_choice import Target
from gnomon.lattice import Ring
from gnomon.recorder import RecordingError
from gnomon.recorder.recordings import RecordingFolder, own_key
from unit.cli.commands import gnomon
from unit.recorder.conftest import bessy2
from unit.recorder.records import MORNING
from unit.recorder.test_replay_steps import Recording, current


@pytest.fixture
def ring() -> Ring:
    return bessy2()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RecordingFolder:
    monkeypatch.setenv("GNOMON_RECORDINGS", str(tmp_path / "recordings"))
    monkeypatch.setenv("GNOMON_REVIEW_KEY", str(tmp_path / "review.key"))
    return RecordingFolder(tmp_path / "recordings")


@pytest.fixture
def twin(tmp_path: Path, ring: Ring, monkeypatch: pytest.MonkeyPatch) -> Recording:
    made = Recording(tmp_path / "twin.journal", ring)
    monkeypatch.setattr(record, "find_served_journal", lambda asked: ServedJournal(made.path, "TWIN:"))
    monkeypatch.setattr(record, "_reference", lambda *options: ())
    return made


def test_a_recording_has_the_commands_between_start_and_stop(twin: Recording, folder: RecordingFolder) -> None:
    twin.put(current("HS4P1D1R", 0.1))
    begun = gnomon("record", "start", "bump", "-m", "a bump")
    assert "recording the commands under 'TWIN:' after number 1" in begun.stdout
    twin.put(current("HS4P1D1R", 0.2))
    twin.put(current("HS4P1D1R", 0.4))
    ended = gnomon("record", "stop")
    assert "2 steps" in ended.stdout
    assert "gnomon review bump" in ended.stdout
    recording = folder.find("bump").recording
    assert [(c.old, c.new) for step in recording.steps for c in step.changes] == [(0.1, 0.2), (0.2, 0.4)]
    assert (recording.purpose, len(recording.start.orbit)) == ("a bump", len(twin.start.ring.bpms))
    assert folder.begun() == ()


def test_two_recordings_can_have_begun(twin: Recording, folder: RecordingFolder) -> None:
    gnomon("record", "start", "one", "-m", "p")
    twin.put(current("HS4P1D1R", 0.2))
    gnomon("record", "start", "two", "-m", "p")
    twin.put(current("HS4P1D1R", 0.4))
    with pytest.raises(RecordingError, match="several recordings have begun: one, two"):
        gnomon("record", "stop")
    gnomon("record", "stop", "two")
    gnomon("record", "stop", "one")
    assert [len(folder.find(name).recording.steps) for name in ("one", "two")] == [2, 1]


def test_a_restart_in_between_is_refused_and_can_be_forgotten(twin: Recording, folder: RecordingFolder) -> None:
    gnomon("record", "start", "bump", "-m", "p")
    twin.begin()
    twin.put(current("HS4P1D1R", 0.2))
    with pytest.raises(RecordingError, match="the server was restarted since 'bump' began"):
        gnomon("record", "stop")
    assert "nothing was recorded" in gnomon("record", "stop", "--forget").stdout
    with pytest.raises(RecordingError, match="no recording has begun"):
        gnomon("record", "stop")


def test_nothing_between_start_and_stop_is_said(twin: Recording, folder: RecordingFolder) -> None:
    gnomon("record", "start", "bump", "-m", "p")
    with pytest.raises(RecordingError, match="no command since 'bump' began"):
        gnomon("record", "stop")


@pytest.mark.parametrize("name", ["../bump", "", "b" * 61, ".bump"])
def test_a_name_that_is_no_file_name_is_refused(twin: Recording, folder: RecordingFolder, name: str) -> None:
    assert gnomon("record", "start", name, "-m", "p").exit_code == 2


def test_recordings_are_listed_shown_exported_and_imported(
    twin: Recording, folder: RecordingFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin.put(current("HS4P1D1R", 0.1))
    twin.put(current("HS4P1D1R", 0.2))
    gnomon("record", "excerpt", "bump", "-m", "a bump", "--from", 2, "--to", 2, "--journal", twin.path)
    recording = folder.find("bump").recording
    folder.approve(own_key()[0].approve(recording, "bob@console2", MORNING))
    (row,) = json.loads(gnomon("record", "list", "--json").stdout)
    assert (row["id"], row["steps"], row["approved by"]) == (recording.id, 1, "bob@console2")
    shown = gnomon("record", "show", "bump").stdout
    assert "a bump" in shown
    assert "signature verified" in shown
    file = tmp_path / "bump.json"
    assert "1 approvals" in gnomon("record", "export", "bump", file).stdout
    monkeypatch.setenv("GNOMON_RECORDINGS", str(tmp_path / "elsewhere"))
    gnomon("record", "import", file)
    assert RecordingFolder(tmp_path / "elsewhere").find("bump") == folder.find("bump")


def test_an_imported_approval_must_verify(twin: Recording, folder: RecordingFolder, tmp_path: Path) -> None:
    twin.put(current("HS4P1D1R", 0.1))
    gnomon("record", "excerpt", "bump", "-m", "a bump", "--from", 1, "--to", 1, "--journal", twin.path)
    folder.approve(own_key()[0].approve(folder.find("bump").recording, "bob@console2", MORNING))
    file = tmp_path / "bump.json"
    gnomon("record", "export", "bump", file)
    file.write_text(file.read_text().replace("bob@console2", "eve@console2"))
    with pytest.raises(RecordingError, match="the signature is wrong"):
        gnomon("record", "import", file)


def test_an_empty_folder_says_how_to_begin(folder: RecordingFolder) -> None:
    assert "gnomon record start NAME -m PURPOSE" in gnomon("record", "list").stdout


def test_the_reference_orbit_can_be_what_the_monitors_of_a_machine_show(monkeypatch: pytest.MonkeyPatch) -> None:
    dead: set[str] = set()

    class Client:
        def get(self, *names: str) -> list[SimpleNamespace]:
            return [
                SimpleNamespace(value=0.25 if name.endswith("X") else -0.5, severity_name="INVALID")
                if name[:-4] in dead
                else SimpleNamespace(value=0.25 if name.endswith("X") else -0.5, severity_name="NO_ALARM")
                for name in names
            ]

    monkeypatch.setattr(connection, "connected_to", lambda target: nullcontext(Client()))
    monkeypatch.setattr(server_choice, "choose_server", lambda prefix: Target(prefix))
    found = record._orbit_of("M:", "mls", None, None)
    assert {(each.x, each.y) for each in found} == {(0.25, -0.5)}
    dead.add(f"M:{found[0].monitor}")
    assert [each.monitor for each in record._orbit_of("M:", "mls", None, None)] == [m.monitor for m in found[1:]]
    dead.update(f"M:{each.monitor}" for each in found)
    with pytest.raises(RecordingError, match=f"only 0 of {len(found)} monitors under 'M:' show the beam"):
        record._orbit_of("M:", "mls", None, None)
