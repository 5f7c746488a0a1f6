"""`gnomon store` lists, shows and puts documents, and copies a store with the files beside it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from patience import wait_for
from typer.testing import CliRunner

from gnomon.cli import app
from gnomon.cli.store import _lines
from gnomon.db import DocumentFile, shipped_document
from gnomon.db.store import NEW


def gnomon(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["store", *map(str, arguments)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A store with a document of each kind, and files beside it."""
    folder = tmp_path / "from"
    for name in ("results/orm-1.h5", "pvs/demo/plain.pvs.json"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text("{}")
    path = folder / "documents.sqlite"
    with DocumentFile(path, clock_ns=lambda: 1_800_000_000_000_000_000) as file:
        for revision in range(2):
            file.put("machine", "demo", {"version": revision}, revision)
        file.put("snapshot", "flat", {"schema": "gnomon.snapshot/1"}, NEW)
    return path


def test_kinds_documents_revisions_and_content_are_shown(filled: Path) -> None:
    status, text = gnomon("list", "--store", filled)
    assert (status, [line.split() for line in text.splitlines()]) == (
        0, [["kind", "documents", "revisions"], ["machine", "1", "2"], ["snapshot", "1", "1"]],
    )  # fmt: skip
    assert gnomon("list", "machine", "--store", filled)[1].splitlines()[1].split()[:2] == ["demo", "2"]
    assert json.loads(gnomon("show", "machine", "demo", "--revision", 1, "--store", filled)[1]) == {"version": 0}
    assert len(gnomon("show", "machine", "demo", "--history", "--store", filled)[1].splitlines()) == 3


def test_reading_does_not_make_a_file(tmp_path: Path) -> None:
    for arguments in (["list"], ["list", "machine"], ["show", "machine", "demo"]):
        done = CliRunner().invoke(app, ["store", *arguments, "--store", str(tmp_path / "none.sqlite")])
        assert "an empty store" in done.output or "there is no such file" in str(done.exception)
    assert list(tmp_path.iterdir()) == []


def test_a_machine_document_is_checked_and_put_as_the_next_revision(tmp_path: Path) -> None:
    store, file = tmp_path / "documents.sqlite", tmp_path / "mls.json"
    document = json.loads(shipped_document("mls").model_dump_json(by_alias=True))
    file.write_text(json.dumps(document))
    assert gnomon("put", file, "--store", store) == (0, f"{store}: machine mls revision 1\n")
    assert gnomon("put", file, "--store", store) == (0, f"{store}: machine mls has this content already\n")
    file.write_text(json.dumps(document | {"title": "another"}))
    assert gnomon("put", file, "--store", store)[1].endswith("revision 2\n")


def test_a_copy_takes_the_files_along_and_overwrites_none(filled: Path, tmp_path: Path) -> None:
    target = tmp_path / "to" / "documents.sqlite"
    status, text = gnomon("copy", filled, target)
    assert status == 0
    assert "revisions: 3 copied, 0 were there already, 3 verified by hash; files beside it: 2 copied" in text
    assert (target.parent / "results" / "orm-1.h5").read_text() == "{}"
    (filled.parent / "results" / "orm-1.h5").write_text("changed")
    status, text = gnomon("copy", filled, target, "--json")
    assert status == 3
    told = json.loads(text)
    assert told["revisions"] == {"copied": 0, "there": 3, "verified": 3}
    assert (told["files"], len(told["problems"])) == ({"copied": 0, "there": 1}, 1)
    assert "orm-1.h5: has other content" in told["problems"][0]


def test_a_copy_goes_on_after_kill_9(tmp_path: Path) -> None:
    source, target, documents = tmp_path / "a.sqlite", tmp_path / "b.sqlite", 3000
    with DocumentFile(source) as file:
        file.list("result")
    import sqlite3

    from gnomon.db.store import canonical_json, digest_of

    digests = [(digest_of(canonical_json({"n": n})), n) for n in range(documents)]
    with sqlite3.connect(source) as db:
        db.executemany(
            "INSERT INTO documents VALUES ('result', ?, 1, ?, 1, ?)",
            [(f"r{n:05d}", digest, f'{{"n":{n}}}') for digest, n in digests],
        )
    db.close()
    command = [sys.executable, "-c", "from gnomon.cli import main; main()", "store", "copy", str(source), str(target)]
    copying = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert wait_for(lambda: copying.poll() is not None or count(target) >= 128)
    finally:
        os.kill(copying.pid, signal.SIGKILL)
        copying.wait()
    before = count(target)
    assert 128 <= before < documents
    assert (
        f"{documents - before} copied, {before} were there already, {documents} verified"
        in gnomon("copy", source, target)[1]
    )


def count(path: Path) -> int:
    import sqlite3

    if not path.exists():
        return 0
    db = sqlite3.connect(path)
    try:
        return int(db.execute("SELECT count(*) FROM documents").fetchone()[0])
    except sqlite3.Error:
        return 0
    finally:
        db.close()


def test_progress_without_a_terminal_is_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    times = iter([0.0, 1.0, 11.0, 11.0, 12.0])
    tell = _lines(lambda: next(times))
    for done in (1, 2, 3):
        tell("copying", done, 3)
    assert capsys.readouterr().err == "copying: 2 of 3\n"
