"""`gnomon gate` and `gnomon audit`."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from gnomon.ioc.base.config import Config
from gnomon.ioc.base.machines import find_machine, pvs_of
from gnomon.recorder import AuthorityError, LimitsError
from gnomon.recorder.gating import AuditChain, checked_setpoints, make_limits_template, parse_limits, read_limits
from gnomon.recorder.recordings import RecordingFile, RecordingFolder, own_key
from tools.folders import ROOT
from unit.cli.commands import gnomon
from unit.recorder.gating.test_arming import PREFIX, recording

EXAMPLES = ROOT / "examples" / "gate"


@pytest.mark.parametrize("name", ["bessy2", "mls"])
def test_the_examples_are_valid_and_say_what_they_are(name: str) -> None:
    path = EXAMPLES / f"{name}.limits.yaml"
    assert "nobody there has reviewed them" in path.read_text()
    result = gnomon("gate", "check", str(path))
    assert result.exit_code == 0
    assert f"valid limits of {name}" in result.output
    assert "warning" not in result.output
    assert "the gate is not machine protection" in result.output
    shown = json.loads(gnomon("gate", "check", str(path), "--json").output)
    assert shown["troubles"] == []
    assert shown["not_checked"] == ["optics.coupling", "aperture_mm", "beam.min_lifetime_h"]


def test_a_limits_file_is_found_by_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text((EXAMPLES / "mls.limits.yaml").read_text())
    config = tmp_path / "ioc_config.yaml"
    config.write_text("machine: mls\ngate: {limits: own.yaml}\n")
    assert "valid limits of mls" in gnomon("gate", "check", "--config", str(config)).output
    config.write_text("machine: mls\n")
    with pytest.raises(LimitsError, match=r"name it as gate\.limits"):
        gnomon("gate", "check", "--config", str(config))


def test_a_missing_limit_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text((EXAMPLES / "mls.limits.yaml").read_text().replace("  x_mm: 0.5\n", ""))
    with pytest.raises(LimitsError, match=f"{path}:10: orbit.x_mm: the limit is missing") as caught:
        gnomon("gate", "check", str(path))
    assert caught.value.exit_code == 2


def test_a_template_has_all_setpoints_and_no_limit_of_its_own(tmp_path: Path) -> None:
    out = tmp_path / "own.yaml"
    assert gnomon("gate", "limits", "--machine", "mls", "-o", str(out)).exit_code == 0
    with pytest.raises(LimitsError, match="File exists"):
        gnomon("gate", "limits", "--machine", "mls", "-o", str(out))
    assert gnomon("gate", "limits", "--machine", "mls").output == out.read_text()
    with pytest.raises(LimitsError) as caught:
        gnomon("gate", "check", str(out))
    assert str(caught.value).count("the limit is missing") > 50
    loaded = find_machine(Config(machine="mls"))
    specs = pvs_of(loaded, "")
    data = filled(yaml.safe_load(make_limits_template(loaded.ring, specs)))
    found = checked_setpoints(parse_limits(yaml.safe_dump(data), ""), specs, "mls")
    assert found.troubles == ()
    currents = {spec.name for spec in specs if spec.source == "set" and spec.property == "current"}
    assert currents <= set(found.writable)


def filled(data: object, key: str = "") -> object:
    """Put a number wherever a limit is missing."""
    if isinstance(data, dict):
        return {name: filled(part, name) for name, part in data.items()}
    if isinstance(data, list):
        return [filled(part, key) for part in data]
    words = {"note": "x", "max_severity": "minor", "low": 0.0, "high": 1.0, "max_dead_monitors": 1, "half_width": 0.01}
    return words.get(key, 0.5) if data is None else data


def test_a_check_warns_of_rows_that_cannot_work() -> None:
    limits = read_limits(EXAMPLES / "mls.limits.yaml", "")
    document = limits.document
    wrong = document.settings[0].model_copy(update={"pvs": ("none*",)})
    units = document.settings[1].model_copy(update={"unit": "mA"})
    range_ = document.settings[2].model_copy(update={"low": 500.0, "high": 600.0})
    text = document.model_copy(update={"settings": (wrong, units, range_)}).model_dump_json(by_alias=True)
    specs = pvs_of(find_machine(Config(machine="mls")), "")
    troubles = checked_setpoints(parse_limits(text, ""), specs, "bessy2").troubles
    assert troubles[0] == "these are limits of 'mls', the machine is 'bessy2'"
    assert "row 1 of settings is about no setpoint: none*" in troubles
    assert any("its unit is 'A', the row's 'mA'" in trouble for trouble in troubles)
    assert any("have nothing in common" in trouble for trouble in troubles)


def test_an_audit_log_is_verified(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    chain = AuditChain(path)
    chain.note("begin", {"recording": "bump"})
    chain.note("write", {"pv": "HS1:set", "to": float(np.float64(0.1))})
    chain.close()
    result = gnomon("audit", "verify", str(path))
    assert result.exit_code == 0
    assert "intact, 2 events" in result.output
    assert chain.head in result.output
    assert gnomon("audit", "verify", str(path), "--head", chain.head).exit_code == 0
    other = gnomon("audit", "verify", str(path), "--head", "0" * 64)
    assert other.exit_code == 1
    assert "another hash" in other.output
    path.write_text(path.read_text().replace("0.1", "0.2"))
    result = gnomon("audit", "verify", str(path))
    assert result.exit_code == 1
    assert "NOT intact: line 2" in result.output
    shown = json.loads(gnomon("audit", "verify", str(path), "--json").output)
    assert (shown["intact"], shown["broken"], shown["events"]) == (False, 2, 1)
    path.write_text(path.read_text()[:-20])
    assert "unfinished" in gnomon("audit", "verify", str(path)).output


def test_a_recording_is_armed_when_someone_else_has_approved_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    folder = RecordingFolder(tmp_path / "gnomon" / "recordings")
    made = recording()
    folder.add(RecordingFile(recording=made))
    path = EXAMPLES / "mls.limits.yaml"
    with pytest.raises(LimitsError, match="there is no limits file"):
        gnomon("gate", "arm", "bump", "--prefix", PREFIX)
    words, limits = ("gate", "arm", "bump", "--prefix", PREFIX, "--limits", path), read_limits(path, "").digest
    with pytest.raises(AuthorityError, match="nobody has approved it"):
        gnomon(*words)
    key, _ = own_key(tmp_path / "review.key")
    folder.approve(key.approve(made, "ann@b", 0, limits))
    with pytest.raises(AuthorityError, match="the reviewer is the author"):
        gnomon(*words)
    other, _ = own_key(tmp_path / "other.key")
    folder.approve(other.approve(made, "bob@b", 0))
    with pytest.raises(AuthorityError, match="bob@b has approved it without a limits file"):
        gnomon(*words)
    folder.approve(other.approve(made, "bob@b", 0, limits))
    result = gnomon(*words)
    assert result.exit_code == 0
    assert result.stdout.startswith("gnomon-arm-1.")
    assert len(result.stdout.split()) == 1
    assert "valid once" in result.stderr
    assert (tmp_path / "gnomon" / "arming" / "arming.key").stat().st_mode & 0o77 == 0
