"""`gnomon replay` as a user calls it: a range of commands is shown and never written."""

import subprocess
import sys
from pathlib import Path

import pytest

from gnomon.cli import replay
from gnomon.ioc.base.running_servers import RunningServer, announced
from gnomon.lattice import DocumentError, Outcome, Ring
from gnomon.recorder import Journal, JournalError, ReplayError
from unit.cli.commands import gnomon
from unit.recorder.conftest import bessy2
from unit.recorder.fake_machine import FakeMachine, FakePv
from unit.recorder.records import applied, small_journal, write
from unit.recorder.test_replay_steps import Recording, specs
from unit.recorder.test_replay_steps import current as put_current


@pytest.fixture
def ring() -> Ring:
    return bessy2()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return small_journal(tmp_path / "twin.journal")


@pytest.fixture
def recording(tmp_path: Path, ring: Ring) -> Path:
    made = Recording(tmp_path / "twin.journal", ring)
    made.put(put_current("HS4P1D1R", 0.1))
    made.put(put_current("HS4P1D1R", 0.2))
    made.put(put_current("VS3P2T5R", 0.1), outcome=Outcome.ABANDONED)
    made.journal.close()
    return made.path


@pytest.fixture
def machine(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    """BESSY II at its nominal settings."""
    pvs: dict[str, FakePv] = {}
    setpoints = {(s.device, s.property): s.name for s in specs("MACH:", bessy2()) if s.source == "set"}
    for spec in specs("MACH:", bessy2()):
        if spec.source == "set" and spec.drive is not None:
            pvs[spec.name] = FakePv(ring.nominal[spec.device, spec.property] * spec.scale, *spec.drive)
        elif spec.source == "readback" and (spec.device, spec.property) in setpoints:
            pvs[spec.name] = FakePv(0.0, follows=setpoints[spec.device, spec.property])
    fake = FakeMachine(pvs)
    monkeypatch.setattr(replay, "make_machine", lambda *_, **__: fake)
    return fake


def test_replay_is_dry_and_shows_steps_and_predictions(recording: Path, machine: FakeMachine) -> None:
    result = gnomon("replay", "--journal", recording, "--from", 1, "--to", 3, "--prefix", "MACH:")
    rows = [line.split() for line in result.stdout.splitlines() if "MACH:HS4P1D1R:set" in line]
    assert [row[:6] for row in rows] == [
        ["1", "1", "MACH:HS4P1D1R:set", "0", "0.1", "A"],
        ["2", "2", "MACH:HS4P1D1R:set", "0.1", "0.2", "A"],
    ]
    assert 0.5 < float(rows[0][6]) < 2.0, "0.1 A of an HS4 moves the orbit by about 1.25 mm at the peak"
    assert "dry run: nothing was written" in result.stdout
    assert "no confidence bound was checked" in result.stdout
    assert not machine.puts
    assert not machine.known


RANGE = ("--from", 1, "--to", 2, "--prefix", "MACH:")


def test_a_dry_run_tells_what_the_gate_would_refuse(recording: Path) -> None:
    with pytest.raises(ReplayError, match="these steps would be refused"):
        gnomon("replay", "--journal", recording, *RANGE, "--max-step", "0.001")


def test_a_dry_run_of_the_net_has_only_where_the_range_ends(recording: Path) -> None:
    result = gnomon("replay", "--journal", recording, *RANGE, "--net")
    rows = [line.split() for line in result.stdout.splitlines() if "MACH:HS4P1D1R:set" in line]
    assert [row[2:5] for row in rows] == [["MACH:HS4P1D1R:set", "0", "0.2"]]


def test_a_range_is_never_written_and_the_way_to_do_it_is_told(recording: Path, machine: FakeMachine) -> None:
    result = gnomon("replay", "--journal", recording, *RANGE, "--arm", "--token", "t")
    assert result.exit_code == 2
    text = " ".join(result.output.replace("│", " ").split())
    assert "only a recording that was reviewed and approved is written: gnomon record, gnomon review," in text
    assert not machine.puts


@pytest.mark.parametrize("options", [["--to", "1"], ["--max-step", "2"]])
def test_replay_used_wrongly_exits_with_2(recording: Path, options: list[str]) -> None:
    given = {"--from": "2", "--to": "2", "--prefix": "M:"} | dict(zip(options[::2], options[1::2], strict=True))
    words = [word for pair in given.items() for word in pair]
    assert gnomon("replay", "--journal", recording, *words).exit_code == 2


def test_a_recording_of_another_document_is_refused(path: Path) -> None:
    with Journal(path) as journal:
        journal.begin_run(machine="bessy2", digest="0" * 32, prefix="TWIN:", lattice_id="", baseline={})
        write(journal, applied(5, "Q1", 0.0, 1.0))
    arguments = ("replay", "--journal", path, "--from", 5, "--to", 5, "--prefix", "")
    with pytest.raises(DocumentError, match="has changed since it was recorded: the recorded document"):
        gnomon(*arguments)
    with pytest.raises(ReplayError, match="has changed since it was recorded"):
        gnomon(*arguments, "--machine", "bessy2")


@pytest.mark.slow  # a process of its own; tests/unit/test_packaging.py asks the same of the command alone
def test_replay_never_loads_fault_injection(recording: Path) -> None:
    code = (
        "import sys; sys.argv = sys.argv[1:]\n"
        "from gnomon.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "assert 'gnomon.recorder.replay_steps' in sys.modules\n"
        "assert not [m for m in sys.modules if m.startswith('gnomon.fault_injection')]\n"
    )
    words = ["gnomon", "replay", "--journal", str(recording), "--from", "1", "--to", "2", "--prefix", "MACH:"]
    child = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr


def test_the_recording_is_that_of_the_running_server(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    served = RunningServer(
        pid=1, prefix="TWIN:", machine="bessy2", role="twin", ca_address="", pva_address="", journal=str(recording)
    )
    with announced(served):
        assert "HS4P1D1R" in gnomon("replay", "--from", 1, "--to", 2, "--prefix", "X:").stdout
    with pytest.raises(JournalError, match="no journal"):
        gnomon("replay", "--from", 1, "--to", 2, "--prefix", "X:")
