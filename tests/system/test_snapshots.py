"""`gnomon snapshot` on a running server: saved, compared, brought back, and exchanged with other programs' files."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import EpicsPorts, free_port

from programs import restoring, snapshots
from system.twin_process import TwinProcess

pytestmark = pytest.mark.slow  # servers and commands started one by one


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinProcess]:
    ports = EpicsPorts(free_port(), free_port(), free_port())
    with TwinProcess(ports.environment, tmp_path_factory.mktemp("twin")) as process:
        yield process


def snapshot(twin: TwinProcess, *arguments: str, works: bool = True) -> str:
    done = twin.gnomon("snapshot", *arguments)
    assert (done.returncode == 0) is works, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout if works else done.stderr


def test_saved_moved_compared_restored(twin: TwinProcess) -> None:
    journal = ("--journal", str(twin.journal))
    twin.client(snapshots.put, HS4P1D1R=0.1 + 0.2, VS3P2T5R=-0.3)
    twin.client(snapshots.put_trim, "Q1M1D1R", 2.4601)
    before = twin.client(restoring.lattice, "TWIN:")
    said = snapshot(twin, "save", "bumped", "-m", "a bump and a trim", *journal)
    assert f"lattice {before}" in said
    assert "a bump and a trim" in snapshot(twin, "list")
    shown = snapshot(twin, "show", "bumped")
    assert {line.split()[0] for line in shown.splitlines() if ":set" in line} == {
        "Q1M1D1R:Cm:set",
        "HS4P1D1R:set",
        "VS3P2T5R:set",
    }
    assert "no difference: bumped and now are the same" in snapshot(twin, "diff", "bumped", *journal)
    twin.client(snapshots.put, HS4P1D1R=0.0, HS4P2D1R=0.5)
    done = twin.gnomon("snapshot", "diff", "bumped", *journal)
    assert done.returncode == 1
    rows = [line.split() for line in done.stdout.splitlines()]
    within = ("--tolerance", "current=0.4", "--tolerance", "HS4P2*=0.5")
    assert "the same within the tolerance" in snapshot(twin, "diff", "bumped", *within, *journal)
    assert twin.gnomon("snapshot", "diff", "bumped", *within[:2], *journal).returncode == 1
    assert rows[1:] == [["HS4P1D1R:set", "0.3", "0", "A"], ["HS4P2D1R:set", "0", "0.5", "A"]]
    dry = snapshot(twin, "restore", "bumped", "--dry-run", *journal)
    assert "dry run: nothing was set; these settings would be made on 'TWIN:'" in dry
    _, generation = twin.client(snapshots.lattice_and, "dt:generation")
    restored = snapshot(twin, "restore", "bumped", "--yes", *journal)
    assert f"snapshot restore bumped: done; lattice {before}" in restored
    assert "as saved" not in restored
    after = twin.client(snapshots.lattice_and, "dt:generation")
    assert after == [before, generation + 1]
    assert "nothing to do" in snapshot(twin, "restore", "bumped", *journal)
    assert "snapshot restore bumped" in twin.gnomon("log", *journal, "-n", "1").stdout


@pytest.mark.parametrize("suffix", [".sav", ".csv"])
def test_a_file_and_back(twin: TwinProcess, tmp_path: Path, suffix: str) -> None:
    journal = ("--journal", str(twin.journal))
    name, file = f"as{suffix}", tmp_path / f"file{suffix}"
    before = twin.client(snapshots.put, HS4P1D1R=0.7)
    snapshot(twin, "save", name, *journal)
    assert "setpoints written" in snapshot(twin, "export", name, str(file), "--prefix", "")
    more = {".sav": "OTHER:PV 1\nTUNEZR:rdH 1\n<END>\n", ".csv": "OTHER:PV,1,,,,double,1\nTUNEZR:rdH,1,,,,double,1\n"}
    file.write_text(file.read_text().removesuffix("<END>\n") + more[suffix])
    done = twin.gnomon("snapshot", "import", str(file), f"from{suffix}")
    assert done.returncode == 0, done.stderr
    assert "1 not imported (there is no such PV): OTHER:PV" in done.stderr
    assert "1 not imported (cannot be set): TUNEZR:rdH" in done.stderr
    twin.client(snapshots.put, HS4P1D1R=0.0)
    snapshot(twin, "restore", f"from{suffix}", "--yes", *journal)
    assert twin.client(snapshots.lattice_and, "HS4P1D1R:rdbk") == [before, 0.7]


def test_invalid_requests_are_refused_with_the_reason(twin: TwinProcess, tmp_path: Path) -> None:
    journal = ("--journal", str(twin.journal))
    snapshot(twin, "save", "once", *journal)
    assert "snapshot 'once' already exists; save a new revision of it with --replace" in snapshot(
        twin, "save", "once", *journal, works=False
    )
    assert "revision 2" in snapshot(twin, "save", "once", "--replace", *journal)
    assert "there is no snapshot 'never'; existing snapshots: " in snapshot(twin, "show", "never", works=False)
    file = tmp_path / "bad.snp"
    file.write_text("TWIN:HS4P1D1R:set,99\n")
    assert "TWIN:HS4P1D1R:set: 99 A is outside the drive limits" in snapshot(twin, "import", str(file), works=False)
    cut = tmp_path / "cut.sav"
    cut.write_text("# autosave R5.3\nTWIN:HS4P1D1R:set 1\n")
    assert "<END> is missing" in snapshot(twin, "import", str(cut), works=False)
    mls = tmp_path / "mls.txt"
    mls.write_text("HS1P2K1RP:setCur,0.1\n")
    done = twin.gnomon("snapshot", "import", str(mls), "foreign", "--machine", "mls")
    assert done.returncode == 0, done.stderr
    refusal = snapshot(twin, "restore", "foreign", *journal, works=False)
    assert "the snapshot is of machine 'mls', this is 'bessy2': it cannot be restored here" in refusal
    assert "snapshot once is deleted" in snapshot(twin, "delete", "once")
    assert "(deleted; --revision 2 still shows it)" in snapshot(twin, "show", "once", works=False)
    assert "revision  2" in snapshot(twin, "show", "once", "--revision", "2")
    assert "once" not in snapshot(twin, "list")
    assert "revision 4" in snapshot(twin, "save", "once", *journal)


def test_an_export_written_back_by_somebody_elses_tool_in_any_order_is_the_same_lattice(
    twin: TwinProcess, tmp_path: Path
) -> None:
    journal = ("--journal", str(twin.journal))
    twin.client(snapshots.put_trim, "Q1M1D1R", 2.44045585)
    before = twin.client(snapshots.put, HS4P1D1R=0.25, Q1PDR=218.7)
    snapshot(twin, "save", "all", "--replace", *journal)
    file = tmp_path / "all.sav"
    snapshot(twin, "export", "all", str(file))
    lines = [(line.split()[0], line.split()[1]) for line in file.read_text().splitlines() if line.startswith("TWIN:")]
    assert 900 < len(lines) < 1692
    assert sum(name.endswith(":Cm:set") for name, _ in lines) <= 1
    assert twin.client(snapshots.write_back, lines, 5, HS4P1D1R=0.0, Q1PDR=218.9) == before


ROWS = {
    "burt.snp": "--- Start BURT header\nType:     Absolute\n--- End BURT header\n"
    "TWIN:HS4P1D1R:set 1 \\0\nTWIN:HS4P2D1R:set 1 0.2\nNAME 1 operator's choice\n",
    "type.snp": "--- Start BURT header\nType:     \n--- End BURT header\nTWIN:HS4P2D1R:set 1 0.2\n",
    "gone.csv": "PV,SEVERITY,VALUE\nTWIN:HS4P1D1R:set,INVALID,(Disconnected)\nTWIN:HS4P2D1R:set,NONE,0.2\n",
    "alone.txt": "TWIN:HS4P1D1R:set\nTWIN:HS4P2D1R:set,0.2\n",
}


@pytest.mark.parametrize("name", ROWS)
def test_lines_of_a_file_that_cannot_be_read_are_listed_and_the_others_are_taken(
    twin: TwinProcess, tmp_path: Path, name: str
) -> None:
    file = tmp_path / name
    file.write_text(ROWS[name])
    done = twin.gnomon("snapshot", "import", str(file), name, "--replace")
    assert done.returncode == 3, done.stderr
    assert "setpoints of bessy2" in done.stdout
    assert ": 1, revision" in done.stdout
    assert "lines that could not be imported: 1" in done.stderr
    shown = snapshot(twin, "show", name, "--all")
    assert "HS4P2D1R:set" in shown
    assert "HS4P1D1R:set" not in shown


@pytest.mark.parametrize(
    ("one", "other"),
    [("TWIN:HS4P1D1R:set.VAL", "TWIN:HS4P1D1R:set"), ("HS4P1D1R:set", "TWIN:HS4P1D1R:set")],
)
def test_a_setpoint_with_two_values_is_refused_with_both_lines(
    twin: TwinProcess, tmp_path: Path, one: str, other: str
) -> None:
    file = tmp_path / "two.sav"
    file.write_text(f"{one} 0.1\n{other}\t0.2\n<END>\n")
    refusal = snapshot(twin, "import", str(file), "two", works=False)
    assert f"{one} is 0.1 in line 1, {other} is 0.2 in line 2" in refusal
    file.write_text(f"{one} 0.1\n{other}\t0.1\n<END>\n")
    assert ": 1, revision" in snapshot(twin, "import", str(file), "two", "--replace")
