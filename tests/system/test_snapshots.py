"""`gnomon snapshot` on a running server: saved, compared, brought back, and exchanged with other programs' files."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import EpicsPorts, free_port

from system.twin_process import TwinProcess

CLIENTS = (
    "import epics\nfrom p4p.client.thread import Context\nctx = Context('pva')\n"
    "look = lambda: ctx.get('TWIN:dt:lattice').raw.value\n"
    "def put(**values):\n"
    "    for name, value in values.items(): epics.caput('TWIN:' + name + ':set', value, wait=True, timeout=5)\n"
)


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
    before = twin.client(
        CLIENTS + "put(HS4P1D1R=0.1 + 0.2, VS3P2T5R=-0.3)\n"
        "epics.caput('TWIN:Q1M1D1R:Cm:set', 2.4601, wait=True, timeout=5); result = look()"
    )
    said = snapshot(twin, "save", "bumped", "-m", "a bump and a trim", *journal)
    assert f"lattice {before}" in said
    assert "a bump and a trim" in snapshot(twin, "list")
    shown = snapshot(twin, "show", "bumped")
    assert {line.split()[0] for line in shown.splitlines() if ":set" in line} == {
        "Q1M1D1R:Cm:set",
        "HS4P1D1R:set",
        "VS3P2T5R:set",
    }
    assert "bumped and now are the same" in snapshot(twin, "diff", "bumped", *journal)
    twin.client(CLIENTS + "put(HS4P1D1R=0.0, HS4P2D1R=0.5); result = 0")
    rows = [line.split() for line in snapshot(twin, "diff", "bumped", *journal).splitlines()]
    assert rows[1:] == [["HS4P1D1R:set", "0.3", "0", "A"], ["HS4P2D1R:set", "0", "0.5", "A"]]
    assert "this would be set on 'TWIN:'; nothing was" in snapshot(twin, "restore", "bumped", "--dry-run", *journal)
    generation = twin.client(CLIENTS + "result = float(ctx.get('TWIN:dt:generation'))")
    restored = snapshot(twin, "restore", "bumped", *journal)
    assert f"snapshot restore bumped: done; lattice {before}" in restored
    assert "as saved" not in restored
    after = twin.client(CLIENTS + "result = [look(), float(ctx.get('TWIN:dt:generation'))]")
    assert after == [before, generation + 1]
    assert "nothing to do" in snapshot(twin, "restore", "bumped", *journal)
    assert "snapshot restore bumped" in twin.gnomon("log", *journal, "-n", "1").stdout


@pytest.mark.parametrize("suffix", [".sav", ".csv"])
def test_a_file_and_back(twin: TwinProcess, tmp_path: Path, suffix: str) -> None:
    journal = ("--journal", str(twin.journal))
    name, file = f"as{suffix}", tmp_path / f"file{suffix}"
    before = twin.client(CLIENTS + "put(HS4P1D1R=0.7); result = look()")
    snapshot(twin, "save", name, *journal)
    assert "setpoints written" in snapshot(twin, "export", name, str(file), "--prefix", "")
    more = {".sav": "OTHER:PV 1\nTUNEZR:rdH 1\n<END>\n", ".csv": "OTHER:PV,1,,,,double,1\nTUNEZR:rdH,1,,,,double,1\n"}
    file.write_text(file.read_text().removesuffix("<END>\n") + more[suffix])
    done = twin.gnomon("snapshot", "import", str(file), f"from{suffix}")
    assert done.returncode == 0, done.stderr
    assert "1 not taken (there is no such PV): OTHER:PV" in done.stderr
    assert "1 not taken (cannot be set): TUNEZR:rdH" in done.stderr
    twin.client(CLIENTS + "put(HS4P1D1R=0.0); result = 0")
    snapshot(twin, "restore", f"from{suffix}", *journal)
    assert twin.client(CLIENTS + "result = [float(ctx.get('TWIN:HS4P1D1R:rdbk')), look()]") == [0.7, before]


def test_what_cannot_be_is_refused_in_words(twin: TwinProcess, tmp_path: Path) -> None:
    journal = ("--journal", str(twin.journal))
    snapshot(twin, "save", "once", *journal)
    assert "there is a snapshot 'once' already; --replace" in snapshot(twin, "save", "once", *journal, works=False)
    assert "revision 2" in snapshot(twin, "save", "once", "--replace", *journal)
    assert "there is no snapshot 'never'; there are: " in snapshot(twin, "show", "never", works=False)
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
    assert "once is deleted" in snapshot(twin, "delete", "once")
    assert "(deleted; --revision 2 still shows it)" in snapshot(twin, "show", "once", works=False)
    assert "revision  2" in snapshot(twin, "show", "once", "--revision", "2")
    assert "once" not in snapshot(twin, "list")
    assert "revision 4" in snapshot(twin, "save", "once", *journal)
