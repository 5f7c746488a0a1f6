"""A server whose journal is taken away acknowledges nothing, says why, and goes on when it is back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import EpicsPorts, free_port

from programs import journal_place
from system.twin_process import TwinProcess

pytestmark = pytest.mark.slow  # servers and commands started one by one


@pytest.fixture
def twin(tmp_path: Path) -> Iterator[TwinProcess]:
    ports = EpicsPorts(free_port(), free_port(), free_port())
    with TwinProcess(ports.environment, tmp_path) as process:
        yield process


def test_puts_are_refused_with_the_reason_until_the_journal_is_back(twin: TwinProcess) -> None:
    assert twin.client(journal_place.put, 0.1)[:2] == ["done", 0]
    aside = twin.journal.with_name("aside")
    twin.journal.rename(aside)
    said, severity, *stands = twin.client(journal_place.put, 0.7)
    assert "the journal was renamed" in said
    assert "Move it back" in said
    assert severity == 2
    assert stands == [0.1, 0.1]
    aside.rename(twin.journal)
    assert twin.client(journal_place.put, 0.2) == ["done", 0, 0.2, 0.2]
    twin.journal.unlink()
    said, *_ = twin.client(journal_place.put, 0.7)
    assert "the journal was removed" in said
    (rescued,) = twin.journal.parent.glob("*.rescued-*")
    assert str(rescued) in said
    assert twin.stop() == 0
    rescued.rename(twin.journal)
    shown = twin.gnomon("log", "--journal", str(twin.journal)).stdout
    assert [line.split()[6:8] for line in shown.splitlines()[1:]] == [["0.1", "A"], ["0.2", "A"]]


@pytest.mark.parametrize("kind", ["symbolic", "hard"])
def test_a_second_server_does_not_start_on_the_same_journal_by_another_name(
    twin: TwinProcess, tmp_path: Path, kind: str
) -> None:
    link = tmp_path / "link.journal"
    link.symlink_to(twin.journal) if kind == "symbolic" else link.hardlink_to(twin.journal)
    done = twin.gnomon("serve", "--journal", str(link), "--prefix", "OTHER:")
    assert done.returncode == 1
    assert {"symbolic": "another recorder", "hard": "2 names (hard links)"}[kind] in done.stderr
    assert twin.client(journal_place.put, 0.1)[:2] == ["done", 0]
