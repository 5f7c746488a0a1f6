"""The options of `gnomon log`: which journal is read, and which commands of it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

from gnomon.cli.log import app
from gnomon.cli.log.log_options import Chosen, RunStates, asked, chosen_journal, make_filter, ring_of
from gnomon.cli.served_journal import Asked
from gnomon.db import shipped_machine
from gnomon.ioc.base.config import Config
from gnomon.ioc.base.machines import LoadedMachine, find_machine
from gnomon.ioc.base.running_servers import RunningServer, announced
from gnomon.lattice import DocumentError, Outcome
from gnomon.recorder import Filter, JournalError, Run
from unit.cli.commands import gnomon
from unit.recorder.records import MORNING, small_journal


@pytest.mark.parametrize("options", [["--since", "yesterday"], ["--outcome", "lost"], ["-n", "0"], ["--nonsense"]])
def test_wrong_use_exits_with_2(path: Path, options: list[str]) -> None:
    assert gnomon("log", "--journal", path, *options).exit_code == 2


def test_a_journal_that_is_not_there_is_a_plain_error(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no journal here"):
        gnomon("log", "--journal", tmp_path / "none")


def test_a_prefix_names_the_journal_of_a_fork(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    (tmp_path / "gnomon").mkdir()
    small_journal(tmp_path / "gnomon" / "bessy2.WHATIF.journal")
    for arguments in (["log", "--prefix", "WHATIF:"], ["log", "list", "--prefix", "WHATIF:"]):
        assert len(gnomon(*arguments).stdout.splitlines()) == 5
    assert "alice@console1" in gnomon("log", "show", 1, "--prefix", "WHATIF:").stdout
    assert "alice@console1" in gnomon("log", "--prefix", "WHATIF:", "show", 1).stdout
    with pytest.raises(JournalError, match=r"bessy2\.TWIN\.journal: there is no journal here"):
        gnomon("log")


def test_a_machine_names_the_journal_of_its_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    (tmp_path / "gnomon").mkdir()
    small_journal(tmp_path / "gnomon" / "mls.TWIN.journal")
    small_journal(tmp_path / "gnomon" / "mls.WHATIF.journal")
    assert "alice@console1" in gnomon("log", "--machine", "mls", "show", 1).stdout
    assert "alice@console1" in gnomon("log", "--machine", "mls", "show", 1, "--prefix", "WHATIF:").stdout
    assert len(gnomon("log", "list", "--machine", "mls").stdout.splitlines()) == 5


def test_options_make_the_filter_that_they_describe() -> None:
    assert make_filter() == Filter()
    given = make_filter("Q*", "bob@*", "2025-10-09T12:00+02:00", "2025-10-09T10:00:01.5Z", "delayed", 3, 7)
    noon = 1_760_004_000_000_000_000  # 2025-10-09 10:00 UTC
    assert given == Filter(noon, noon + 1_500_000_000, 3, 7, "Q*", "bob@*", Outcome.DELAYED)


def test_an_unknown_outcome_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(typer.BadParameter, match="'lost' is not an outcome; use one of applied, delayed, modified"):
        make_filter(outcome="lost")


FILE, OTHER = Path("before"), Path("own")


@pytest.mark.parametrize(
    ("before", "own", "expected"),
    [
        (Chosen(FILE, OTHER, "mls", "A:"), {}, Asked(FILE, OTHER, "mls", "A:")),
        (Chosen(FILE, None, None, None), {"journal": OTHER}, Asked(OTHER)),
        (Chosen(FILE, None, None, None), {"prefix": "B:"}, Asked(None, prefix="B:")),
        (Chosen(FILE, None, None, None), {"machine": "mls"}, Asked(None, machine="mls")),
        (Chosen(None, None, "mls", "A:"), {"machine": "bessy2"}, Asked(None, None, "bessy2", "A:")),
        (Chosen(None, None, None, "A:"), {"prefix": ""}, Asked(None, prefix="")),
        (Chosen(None, None, None, None), {"server": "7", "offline": True}, Asked(server="7", offline=True)),
    ],
)
def test_a_subcommands_own_options_win_over_those_before_it(
    before: Chosen, own: dict[str, Any], expected: Asked
) -> None:
    assert asked(context_of(before), **own) == expected


def context_of(before: Chosen) -> typer.Context:
    return typer.Context(get_command(app), obj=before)


NOTHING = Chosen(None, None, None, None)


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Make servers known; their journals are in the folder of the test, those of the configuration in `state`."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with ExitStack() as stack:

        def start(prefix: str, fork: str = "", exists: bool = True) -> Path:
            path = tmp_path / f"{prefix[:-1]}.served"
            if exists:
                path.touch()
            stack.enter_context(
                announced(
                    RunningServer(
                        pid=1, prefix=prefix, machine="mls", role="twin", ca_address="", pva_address="",
                        journal=str(path), fork=fork,
                    )
                )
            )  # fmt: skip
            return path

        yield start


def test_the_journal_of_the_only_server_is_read_and_its_forks_do_not_count(running: Callable[..., Path]) -> None:
    twin, fork = running("MINE:"), running("WHATIF:", fork="WHATIF")
    assert chosen_journal(context_of(NOTHING)) == twin
    assert chosen_journal(context_of(NOTHING), prefix="WHATIF:") == fork
    assert chosen_journal(context_of(Chosen(None, None, None, "WHATIF:"))) == fork


def test_a_file_a_machine_or_a_configuration_is_not_overruled_by_a_server(
    running: Callable[..., Path], tmp_path: Path
) -> None:
    running("TWIN:")
    config = tmp_path / "config.yaml"
    config.write_text(f"recorder: {{journal: {tmp_path / 'configured'}}}\n")
    assert chosen_journal(context_of(NOTHING), journal=FILE) == FILE
    assert chosen_journal(context_of(NOTHING), machine="mls") == tmp_path / "state/gnomon/mls.TWIN.journal"
    assert chosen_journal(context_of(Chosen(None, config, None, None))) == tmp_path / "configured"


def test_without_one_clear_server_the_journal_is_that_of_the_configuration(
    running: Callable[..., Path], tmp_path: Path
) -> None:
    usual = tmp_path / "state/gnomon/bessy2.TWIN.journal"
    assert chosen_journal(context_of(NOTHING)) == usual
    running("GONE:", exists=False)
    assert chosen_journal(context_of(NOTHING)) == usual
    first, _ = running("A:"), running("B:")
    assert chosen_journal(context_of(NOTHING)) == usual
    assert chosen_journal(context_of(NOTHING), prefix="A:") == first


def run_of(machine: str, digest: str, number: int = 1) -> Run:
    return Run(number, "boot", machine, digest, "TWIN:", MORNING, "", {})


def test_the_ring_of_a_run_is_the_one_that_was_served_and_none_where_it_has_changed() -> None:
    mls = shipped_machine("mls")
    found = ring_of(run_of("mls", mls.digest))
    assert found is not None
    assert found.digest == mls.digest
    assert ring_of(run_of("mls", "0" * 32)) is None
    assert ring_of(run_of("toy", "d1")) is None


def test_states_have_names_where_a_value_can_be_one_and_each_document_is_loaded_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded: list[str] = []

    def load(config: Config, name: str, digest: str) -> LoadedMachine:
        loaded.append(digest)
        if digest == "gone":
            raise DocumentError("has changed since it was recorded")
        return find_machine(Config(machine=name))

    monkeypatch.setattr("gnomon.ioc.base.machines.recorded_machine", load)
    runs = {1: run_of("bessy2", "a"), 2: run_of("bessy2", "a", 2), 3: run_of("bessy2", "gone", 3)}
    name = RunStates(runs.__getitem__)
    assert [name(1, "QSPAZR", "on", value) for value in (0.5, -1.0, 1000.0, float("nan"))] == [""] * 4
    assert loaded == []
    assert [name(run, "QSPAZR", "on", value) for run, value in ((1, 0.0), (2, 1.0), (1, 7.0))] == ["off", "on", ""]
    assert name(1, "Q1PDR", "current", 5.0) == ""
    assert [name(3, "QSPAZR", "on", 1.0) for _ in range(2)] == ["", ""]
    assert loaded == ["a", "gone"]


@pytest.mark.parametrize("option", ["--since", "--until"])
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("99999999999d", "not within the times that a journal can hold; give an age of at most 45000d"),
        ("45001d", "not within"),
        ("1e300s", "not within"),
        ("9999-12-31", "not within"),
        ("1800-01-01", "not within"),
        ("0001-01-01", "is not"),
        ("\u0663h", "not a time"),
        ("\u0662\u0660\u0662\u0666-01-01", "not a time"),
        ("1_0h", "not a time"),
        ("-3h", "not a time"),
        ("nanh", "not a time"),
        ("h", "not a time"),
        ("", "not a time"),
        ("soon\x1b[31m", r"soon\x1b"),
    ],
)
def test_a_time_that_cannot_be_is_wrong_use_with_a_reason(path: Path, option: str, text: str, reason: str) -> None:
    result = gnomon("log", "--journal", path, option, text)
    assert result.exit_code == 2
    said = " ".join(result.stderr.replace("\u2502", " ").split())
    assert reason in said
    assert option in said


@pytest.mark.parametrize("text", ["0s", "45000d", "1.5h", "3e2m", ".5d", "1900-01-02", "2199-12-31T10:30Z"])
def test_a_time_that_a_journal_can_hold_is_taken(path: Path, text: str) -> None:
    assert gnomon("log", "--journal", path, "--since", text).exit_code == 0
