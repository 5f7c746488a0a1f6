"""Parts that all studies share: options, the lattice, files, and refusals before the work. Nothing is computed."""

import io
import json
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from gnomon.cli.study.running import Wanted, run_study
from gnomon.db import shipped_machine
from gnomon.ioc.app.known_lattices import KnownLattice
from gnomon.lattice import GnomonError, Lattice
from gnomon.propagator.studies import Frame, Say, read_study, window_of
from gnomon.propagator.studies.result_files import StudyError, StudyResult
from unit.cli.commands import gnomon
from unit.cli.study.made_up import TUNE, Asked


def test_json_is_the_result_and_nothing_else(asked: list[Asked]) -> None:
    document = json.loads(gnomon("study", "tune", "--json").stdout)
    assert document["quantities"]["tune"]["data"] == [17.85, 6.74]


def test_options_reach_the_study(asked: list[Asked]) -> None:
    output = gnomon(
        "study", "tune", "--machine", "mls", "--optics", "low_alpha", "--order", "2", "--delta-range", "0"
    ).output
    assert asked == [Asked("mls", "optics low_alpha", {"order": 2, "delta_range": 0.0})]
    assert "mls, optics low_alpha, lattice" in output


def test_the_result_is_written_and_its_file_named_as_it_is(asked: list[Asked], tmp_path: Path) -> None:
    out = tmp_path / ("a_long_name_" * 8 + "[bold].json")
    assert f"written: {out}\n" in gnomon("study", "tune", "-o", out).output
    assert json.loads(out.read_text())["quantities"]["tune"]["data"] == [17.85, 6.74]


@pytest.mark.parametrize(
    "options",
    [
        ["-o", "tune.txt"],
        ["-o", "nowhere/tune.json"],
        ["--plot", "tune.gif"],
        ["--optics", "none"],
        ["--machine", "x"],
        ["--from", "Q99"],
        ["--from", "9", "--to", "3"],
        ["--cell", "17"],
        ["--snapshot", "none"],
        ["--lattice", "ab"],
    ],
)
def test_a_study_that_cannot_be_done_is_refused_before_the_work(
    asked: list[Asked], options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GnomonError) as refused:
        gnomon("study", "tune", *options)
    assert isinstance(refused.value, StudyError) or options[0] in ("--optics", "--machine", "--snapshot", "--lattice")
    assert asked == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "options",
    [
        ["tune", "--order", "4"], ["orm", "--journal", "a"],
        ["tune", "--snapshot", "a", "--at", "1"],
        ["tune", "--order", "-1"], ["aperture", "--turns", "0"],
        ["aperture", "--places", "-1"], ["aperture", "--extent", "40"], ["aperture", "--time-limit", "0"],
    ],
)  # fmt: skip
def test_numbers_outside_their_range_are_wrong_use(asked: list[Asked], options: list[str]) -> None:
    assert gnomon("study", *options).exit_code == 2
    assert asked == []


@pytest.mark.parametrize("name", ["Q[red]1", "Q\x1b[2J"])
def test_a_name_in_a_table_is_shown_as_it_is_and_cannot_act_on_the_terminal(
    asked: list[Asked], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    spoiled = replace(TUNE, names={**TUNE.names, "knob": (name, "QB"), "supply": (name, "PB", "PS")})
    monkeypatch.setattr("gnomon.propagator.studies.study_tune", lambda *_, **__: spoiled)
    output = gnomon("study", "tune", "--machine", "mls").output
    assert output.count(name.replace("\x1b", "\\x1b")) == 3
    assert "\x1b" not in output


def test_a_study_of_a_lattice_that_is_at_hand_says_where_it_is_from(asked: list[Asked], tmp_path: Path) -> None:
    known = KnownLattice(shipped_machine("mls").nominal, "snapshot [flat]")
    seen: list[object] = []

    def study(lattice: Lattice, origin: str, say: Say) -> StudyResult:
        say("half way", 1, 2)
        seen.append((lattice.id, origin))
        return TUNE

    def show(found: StudyResult, console: Console) -> None:
        console.print("shown")

    def draw(found: StudyResult, frame: Frame) -> None:
        seen.append(frame)

    plot = tmp_path / "a.png"
    with redirect_stdout(io.StringIO()) as out:
        run_study(study, show, draw, known, Wanted(plot=plot, cell=1))  # the MLS: two cells, 48 m
    window = window_of(known.lattice.ring, None, None, 1)
    assert seen == [(known.lattice.id, "snapshot [flat]"), Frame(plot, known.lattice, False, *window)]
    assert window == pytest.approx((0.0, 24.0))
    head, shown, plotted = out.getvalue().splitlines()
    assert (head, shown) == (f"mls, snapshot [flat], lattice {known.lattice.id}", "shown")
    assert plotted == f"plotted: {plot}"


def test_a_kept_study_is_found_by_its_note_and_its_identifier(
    asked: list[Asked], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GNOMON_PROPOSAL", "shift 12")
    monkeypatch.setenv("GNOMON_RECORDINGS", str(tmp_path / "none"))
    monkeypatch.setenv("GNOMON_CALIBRATIONS", str(tmp_path / "none"))
    config = tmp_path / "config.yaml"
    config.write_text(f"store: {{path: {tmp_path / 'documents.sqlite'}}}\n")
    said = gnomon("study", "tune", "--keep", "-m", "for the logbook", "--config", config).output
    identifier = said.rsplit(maxsplit=1)[-1]
    found = json.loads(gnomon("results", "find", "logbook", "--json", "--config", config).output)[0]
    assert (found["identifier"], found["kind"], found["proposal"]) == (identifier, "study", "shift 12")
    assert found["document"] == shipped_machine("bessy2").digest
    assert Path(found["file"]).parent == tmp_path / "results" / "studies"
    assert read_study(Path(found["file"]))["identifier"] == identifier
