"""`gnomon snapshot from-archiver|history` with an appliance that gives recorded answers."""

import json
from pathlib import Path

import pytest

from gnomon.cli.imported_setpoints import DONE_IN_PART, MAX_LISTED, tell_names
from gnomon.ioc.base.snapshot_store import SnapshotError
from gnomon.recorder.archives import ArchiveError, read_archive
from unit.cli.commands import gnomon
from unit.fake_appliance import fake_appliance

ANSWERS = Path(__file__).parents[1] / "recorder" / "archives" / "answers"
AT = "2026-01-01T01:00:00+00:00"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.yaml"
    file.write_text(f"machine: mls\nprefix: ''\nstore: {{path: {tmp_path / 'documents.sqlite'}}}\n")
    return file


def value(number: float, severity: int = 0) -> dict[str, object]:
    return {"secs": 1_767_222_000, "nanos": 0, "val": number, "severity": severity, "status": 0}


def test_settings_as_the_machine_had_them_become_a_snapshot(config: Path) -> None:
    at = {"Q1P1K1RP:setCur": value(50.125), "Q2P1K1RP:setCur": value(1.0, severity=3)}
    with fake_appliance(at) as appliance:
        result = gnomon("snapshot", "from-archiver", "monday", "--at", AT, "--url", appliance.url, "--config", config)
    assert result.exit_code == DONE_IN_PART  # most of the setpoints are not archived there
    assert f"monday: setpoints of mls from {appliance.url} at " in result.output
    assert "without an archived value: " in result.output
    assert "Q2P1K1RP:setCur: was INVALID" in result.output
    shown = json.loads(gnomon("snapshot", "show", "monday", "--json", "--config", config).output)
    assert [(entry["pv"], entry["value"]) for entry in shown["entries"]] == [("Q1P1K1RP:setCur", 50.125)]
    assert not shown["complete"]


def test_files_of_the_appliance_do_without_it(config: Path) -> None:
    given = ("--machine", "bessy2", "--config", config)
    result = gnomon("snapshot", "from-archiver", "old", ANSWERS / "supply.raw", "--at", AT, *given)
    assert result.exit_code == DONE_IN_PART
    shown = json.loads(gnomon("snapshot", "show", "old", "--json", "--config", config).output)
    assert [(entry["pv"], entry["value"]) for entry in shown["entries"]] == [("HS4P1D1R:set", 0.75)]
    with pytest.raises(SnapshotError, match="none of its 1 PVs is a setpoint of 'mls'"):
        gnomon("snapshot", "from-archiver", "b", ANSWERS / "supply.raw", "--at", AT, "--config", config)


def test_settings_without_a_value_that_can_be_used_are_not_taken_for_another_prefix(config: Path) -> None:
    at = {"Q1P1K1RP:setCur": value(float("nan")), "Q2P1K1RP:setCur": value(float("nan"))}
    given = ("--at", AT, "--config", config)
    with fake_appliance(at) as appliance:
        with pytest.raises(SnapshotError, match=r"2 setpoints of .mls., none .* Q1P1K1RP:setCur: ") as told:
            gnomon("snapshot", "from-archiver", "a", *given, "--url", appliance.url)
        assert "nan" in str(told.value)
        assert "--prefix" not in str(told.value)
        appliance.at = {}
        with pytest.raises(SnapshotError, match="no value of any PV; check the time"):
            gnomon("snapshot", "from-archiver", "a", *given, "--url", appliance.url)


def test_either_an_address_or_files_are_asked_for(config: Path) -> None:
    result = gnomon("snapshot", "from-archiver", "a", "--config", config)
    assert result.exit_code == 2
    assert "give either --url (or GNOMON_ARCHIVER) or files" in " ".join(result.output.split())


def test_a_history_of_all_setpoints_is_fetched_into_one_file(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "monday.raw"
    raw = {"HS4P1D1R:set": (ANSWERS / "supply.raw").read_bytes()}
    span = ("--from", "2025-12-31T23:00:00+00:00", "--to", AT)
    with fake_appliance(raw=raw) as appliance:
        given = ("--machine", "mls", "--config", config, "--url", appliance.url)
        result = gnomon("snapshot", "history", out, *span, *given)
        assert result.exit_code == DONE_IN_PART
        assert ": 0 values of 0 setpoints" in result.output
        appliance.raw["Q1P1K1RP:setCur"] = raw["HS4P1D1R:set"].replace(
            b"\x12\x0cHS4P1D1R:set", b"\x12\x0fQ1P1K1RP:setCur"
        )
        result = gnomon("snapshot", "history", out, *span, *given)
    assert f"{out}: 5 values of 1 setpoints; gnomon serve --history {out}" in result.output
    assert {sample.pv for sample in read_archive(out).samples} == {"Q1P1K1RP:setCur"}
    assert gnomon("snapshot", "history", out, "--from", "1h", "--to", "2h", *given).exit_code == 2


def test_half_a_line_at_the_end_of_an_answer_does_not_become_a_sample(config: Path, tmp_path: Path) -> None:
    whole = (ANSWERS / "supply.raw").read_bytes().replace(b"\x12\x0cHS4P1D1R:set", b"\x12\x0fQ1P1K1RP:setCur")
    assert whole.endswith(b"@\x20\x03(\x11\n")  # the last sample is INVALID, which its last bytes say
    out = tmp_path / "monday.raw"
    given = ("--from", "2025-12-31T23:00:00+00:00", "--to", AT, "--machine", "mls", "--config", config)
    with fake_appliance(raw={"Q1P1K1RP:setCur": whole[:-5]}) as appliance:
        result = gnomon("snapshot", "history", out, *given, "--url", appliance.url)
        assert result.exit_code == DONE_IN_PART
        assert "Q1P1K1RP:setCur: line 8: the file ends within it" in result.output
        assert [sample.value for sample in read_archive(out).samples][2:] == [-0.5, 0.75]
        assert len(read_archive(out).samples) == 4
        appliance.raw["Q1P1K1RP:setCur"] = b"<html>sign in</html>"
        with pytest.raises(ArchiveError, match="the answer about Q1P1K1RP:setCur: not a file of the Archiver"):
            gnomon("snapshot", "history", out, *given, "--url", appliance.url)


def test_a_history_that_serve_would_refuse_is_not_kept(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gnomon.recorder.archives.MAX_PB_BYTES", 50)
    raw = (ANSWERS / "supply.raw").read_bytes().replace(b"\x12\x0cHS4P1D1R:set", b"\x12\x0fQ1P1K1RP:setCur")
    given = ("--from", "2025-12-31T23:00:00+00:00", "--to", AT, "--machine", "mls", "--config", config)
    with (
        fake_appliance(raw={"Q1P1K1RP:setCur": raw}) as appliance,
        pytest.raises(ArchiveError, match=r"monday\.raw: it would be larger than .* MiB; take a shorter time"),
    ):
        gnomon("snapshot", "history", tmp_path / "monday.raw", *given, "--url", appliance.url)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["config.yaml"]


def test_a_long_list_of_names_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    tell_names("left", [f"P{i}" for i in range(MAX_LISTED + 2)])
    tell_names("right", [])
    assert capsys.readouterr().err.endswith(f"P{MAX_LISTED - 1} and 2 more\n")
