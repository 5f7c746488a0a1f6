"""`gnomon calibrate` as a user calls it, on calibrations that are there."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gnomon.cli.calibrate import ProgressLines
from gnomon.recorder.bounds import CalibrationDocument
from gnomon.recorder.calibration_folder import CalibrationFolder
from unit.cli.commands import gnomon
from unit.recorder.test_calibration_folder import calibration


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CalibrationDocument:
    monkeypatch.setenv("GNOMON_CALIBRATIONS", str(tmp_path))
    made = (datetime.now(UTC) - timedelta(hours=30)).isoformat(timespec="seconds")
    bins = ({"kind": "kick_x", "low": 0.0, "high": 9.0, "scores": [float(n) for n in range(19)]},)
    document = CalibrationDocument.model_validate(calibration(made).model_dump() | {"bins": bins}).identified()
    CalibrationFolder(tmp_path).save(document)
    return document


def test_the_list_has_age_and_the_coverage_that_it_is_good_for(kept: CalibrationDocument) -> None:
    done = gnomon("calibrate", "list")
    assert kept.id[:12] in done.stdout
    assert "30.0 h, above 24 h" in done.stdout
    assert "kick_x 95.0 %" in done.stdout
    told = json.loads(gnomon("calibrate", "list", "--json").stdout)
    assert not told[0]["usable"]
    assert told[0]["follows_drift"] is False
    assert told[0]["bins"] == [{"kind": "kick_x", "low": 0.0, "high": 9.0, "held_out": 19, "coverage": 0.95}]


def test_a_calibration_is_shown_with_its_bins(kept: CalibrationDocument) -> None:
    done = gnomon("calibrate", "show")
    assert kept.id in done.stdout
    assert "chi^2 per reading" in done.stdout
    assert any(line.split() == ["kick_x", "0", "9", "19", "95.0", "18"] for line in done.stdout.splitlines())
    assert "not followed" in next(line for line in done.stdout.splitlines() if line.startswith("drift"))
    assert json.loads(gnomon("calibrate", "show", kept.id[:5], "--json").stdout)["id"] == kept.id


def test_without_held_out_steps_it_says_what_that_means(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GNOMON_CALIBRATIONS", str(tmp_path))
    assert "gnomon calibrate measure" in gnomon("calibrate", "list").stderr + gnomon("calibrate", "list").stdout
    CalibrationFolder(tmp_path).save(calibration("2026-01-01T00:00:00+00:00"))
    done = gnomon("calibrate", "show")
    assert "all bands are infinite" in done.stdout + done.stderr


def test_progress_is_told_in_lines_now_and_then_at_the_present_pace(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    lines = ProgressLines(lambda: now)
    for _ in range(10):
        now += 1.0
        lines.row(None, 30)
    for _ in range(20):
        now += 2.0
        lines.row(None, 30)
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "measured 10 of 30, about 20 s left"
    assert told[1] == "measured 15 of 30, about 30 s left"
    assert told[-1] == "measured 30 of 30, about 0 s left"
