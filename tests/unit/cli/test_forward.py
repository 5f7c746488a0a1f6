"""`gnomon forward`: how far each downstream is, and where it goes on."""

import json
from pathlib import Path

import pytest

from gnomon.ioc.base.forward_status import ForwardStatus, forward_folder, write_forward_status
from gnomon.lattice import GnomonError
from unit.cli.commands import gnomon
from unit.recorder.records import small_journal


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with a logbook, and a journal of four commands."""
    small_journal(tmp_path / "twin.journal")
    file = tmp_path / "ring.yaml"
    file.write_text(
        f"recorder: {{journal: twin.journal}}\nstore: {{path: {tmp_path / 'store'}}}\n"
        "forward: {logbook: {url: 'http://127.0.0.1:9/'}}\n"
    )
    return file


def test_a_process_that_does_not_run_is_told(config: Path) -> None:
    result = gnomon("forward", "list", "--config", config)
    assert result.exit_code == 1
    assert "not running" in result.output
    assert "has not run with this journal" in result.output


@pytest.mark.parametrize(("state", "code"), [("delivering", 0), ("behind", 1), ("stopped", 1)])
def test_each_downstream_is_listed_with_what_is_wrong(config: Path, state: str, code: int) -> None:
    journal = config.with_name("twin.journal")
    forward_folder(journal).mkdir()
    write_forward_status(journal, [ForwardStatus("logbook", state, 12, 3.0, 40, 0, "answers 503")])
    result = gnomon("forward", "list", "--config", config)
    assert result.exit_code == code
    assert result.output.splitlines()[-1].split()[:5] == ["logbook", state, "12", "3", "40"]
    assert "answers 503" in result.output
    told = json.loads(gnomon("forward", "list", "--json", "--config", config).output)
    assert (told["state"], told["runs"], told["downstreams"][0]["backlog"]) == (state, True, 12)


def test_a_downstream_is_moved(config: Path) -> None:
    forward_folder(config.with_name("twin.journal")).mkdir()
    assert "after command 4" in gnomon("forward", "move", "logbook", "--to", "newest", "--config", config).output
    assert "after command 2" in gnomon("forward", "move", "logbook", "--to", "2", "--config", config).output


@pytest.mark.parametrize("arguments", [("nothing", "--to", "oldest"), ("mqtt", "--to", "-1"), ("mqtt", "--to", "٣")])
def test_wrong_names_and_places_are_refused(config: Path, arguments: tuple[str, ...]) -> None:
    assert gnomon("forward", "move", *arguments, "--config", config).exit_code == 2


def test_run_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "ring.yaml").write_text("recorder: {journal: j}\n")
    with pytest.raises(GnomonError, match=r"forward\.mqtt\.host"):
        gnomon("forward", "run", "--config", tmp_path / "ring.yaml")
