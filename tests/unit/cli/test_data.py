"""`gnomon data`: given away and checked, annotated, pruned by rules, and registered in SciCat."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gnomon.lattice import GnomonError
from gnomon.procedures.results import Results
from unit.cli.commands import gnomon
from unit.procedures.test_results import orm_run

FIRST, SECOND = "orm-20251127T100000.000", "orm-20261127T110000.000"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration with two results, of two years ago and of yesterday, and a rule."""
    monkeypatch.setenv("GNOMON_RECORDINGS", str(tmp_path / "recordings"))
    monkeypatch.setenv("GNOMON_CALIBRATIONS", str(tmp_path / "calibrations"))
    results = Results(tmp_path / "results")
    for seed, name, days in ((1, FIRST, 730), (2, SECOND, 1)):
        run = orm_run(seed, name)
        started = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="milliseconds")
        told = run.provenance.model_copy(update={"started": started})
        results.save(run.model_copy(update={"provenance": told}))
    config = tmp_path / "config.yaml"
    config.write_text(
        f"store: {{path: {tmp_path / 'documents.sqlite'}}}\n"
        "results: {facility: Test Ring, retention: [{kind: result, days: 365}]}\n"
    )
    return config


def test_an_export_is_checked_and_a_change_is_told_with_exit_code_1(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = gnomon("data", "export", FIRST, "--to", out, "--title", "A day", "--config", config)
    assert f"`gnomon data check {out}` checks it" in said.stdout
    assert "does not say which document" in said.stderr
    assert "6 files, 5 checksums and 2 identifiers are right" in gnomon("data", "check", out).stdout
    assert '"title": "A day"' in gnomon("data", "check", out, "--json").stdout
    (out / "README.md").write_text("other")
    wrong = gnomon("data", "check", out)
    assert wrong.exit_code == 1
    assert "README.md: its checksum is another one" in wrong.stdout
    with pytest.raises(GnomonError, match="exists; choose another name"):
        gnomon("data", "export", FIRST, "--to", out, "--config", config)


def test_annotations_are_added_and_taken_away(config: Path) -> None:
    added = ("--tag", "golden", "--tag", "week 48", "--doi", "https://doi.org/10.5281/zenodo.12", "--proposal", "P7")
    shown = gnomon("data", "annotate", FIRST, *added, "--config", config).stdout
    for text in ("golden, week 48", "10.5281/zenodo.12", "P7"):
        assert text in shown
    assert FIRST in gnomon("results", "find", "--tag", "golden", "--config", config).stdout
    assert "golden, week 48" in gnomon("results", "show", FIRST, "--config", config).stdout
    gnomon("data", "annotate", FIRST, "--untag", "golden", "--doi", "", "--config", config)
    shown = gnomon("results", "show", FIRST, "--config", config).stdout
    assert "golden" not in shown
    assert "zenodo" not in shown
    with pytest.raises(GnomonError, match="is not a DOI"):
        gnomon("data", "annotate", FIRST, "--doi", "12", "--config", config)
    assert gnomon("data", "annotate", FIRST, "--tag", " ", "--config", config).exit_code == 2


def test_prune_lists_and_removes_with_yes_alone_and_leaves_what_is_tagged(config: Path, tmp_path: Path) -> None:
    path = tmp_path / "results" / f"{FIRST}.h5"
    said = gnomon("data", "prune", "--config", config).stdout
    assert "more than 365" in said
    assert "1 would go" in said
    assert path.exists()
    gnomon("data", "annotate", FIRST, "--tag", "golden", "--config", config)
    said = gnomon("data", "prune", "--yes", "--config", config).stdout
    assert "stays" in said
    assert "it has the tag golden" in said
    assert path.exists()
    gnomon("data", "annotate", FIRST, "--untag", "golden", "--config", config)
    identifier = json.loads(gnomon("data", "prune", "--json", "--config", config).stdout)[0]["identifier"]
    assert "1 removed" in gnomon("data", "prune", "--yes", "--config", config).stdout
    assert not path.exists()
    with pytest.raises(GnomonError, match="was removed at"):
        gnomon("results", "show", identifier, "--config", config)
    assert "nothing goes" in gnomon("data", "prune", "--config", config).stdout
    assert "no rules" in gnomon("data", "prune").stdout


def test_a_clock_that_has_jumped_removes_nothing_unless_it_is_said_to_be_right(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_ns = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now_ns + 5 * 365 * 86_400 * 10**9)
    said = gnomon("data", "prune", "--config", config)
    assert "1826 days before; set the clock, or, if it is right, give --clock-is-right" in said.stderr
    with pytest.raises(GnomonError, match="nothing was removed: this computer's clock shows"):
        gnomon("data", "prune", "--yes", "--config", config)
    kept = sorted(path.stem for path in (tmp_path / "results").glob("*.h5"))
    assert kept == [FIRST, SECOND]
    going = gnomon("data", "prune", "--yes", "--clock-is-right", "--config", config)
    assert "removed" in going.stdout
    assert not (tmp_path / "results" / f"{FIRST}.h5").exists()


def test_datasets_for_scicat_are_written_once(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "scicat.json"
    asked = ("data", "scicat", SECOND, "--to", out, "--owner-group", "machine", "--contact", "a@b.org")
    assert "1 datasets for SciCat" in gnomon(*asked, "--config", config).stdout
    document = json.loads(out.read_text())[0]
    assert document["dataset"]["creationLocation"] == "/Test-Ring/bessy2"
    assert len(document["origdatablock"]["dataFileList"][0]["chk"]) == 64
    with pytest.raises(FileExistsError):
        gnomon(*asked, "--config", config)
    config.write_text(config.read_text().replace("facility: Test Ring, ", ""))
    assert "--facility" in gnomon(*asked, "--config", config).output
