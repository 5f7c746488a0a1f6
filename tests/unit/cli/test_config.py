"""`gnomon config`: what a server would use, and what each setting means."""

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel

from gnomon.ioc.base.config import SHIPPED, Config, ConfigError
from gnomon.ioc.base.settings_list import as_text, list_settings
from tools.config_reference import PAGE, render
from unit.cli.commands import gnomon


def keys(section: BaseModel, path: str = "") -> set[str]:
    found: set[str] = set()
    for name in type(section).model_fields:
        value = getattr(section, name)
        found |= keys(value, f"{path}{name}.") if isinstance(value, BaseModel) else {path + name}
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "ring.yaml"
    path.write_text("machine: mls\nprefix: 'SIM:'\nnetwork:\n  ca_port: 6064\n", encoding="utf-8")
    return path


def test_every_setting_of_the_schema_is_listed_with_its_meaning() -> None:
    settings = [setting for setting in list_settings() if not setting.is_part_of_item]
    assert {setting.key for setting in settings} == keys(Config())
    assert [setting.key for setting in list_settings() if not setting.description] == []
    assert "access.rules[].allow" in {setting.key for setting in list_settings()}


def test_path_names_the_file_in_use(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert gnomon("config", "path").output == f"{SHIPPED}\n"
    assert gnomon("config", "path", "--config", file).output == f"{file}\n"
    monkeypatch.setenv("GNOMON_CONFIG", str(file))
    assert gnomon("config", "path").output == f"{file}\n"


def test_show_marks_what_differs_and_can_be_read_back_as_yaml(file: Path) -> None:
    lines = gnomon("config", "show", "--config", file, "--changed").output.splitlines()
    assert lines == [
        'machine: "mls"  # default: "bessy2"',
        'prefix: "SIM:"  # default: "TWIN:"',
        "network.ca_port: 6064  # default: 5064",
    ]
    everything = yaml.safe_load(gnomon("config", "show", "--config", file).output)
    assert everything["network.ca_port"] == 6064
    assert everything["guard.handshake_s"] == 5.0


def test_every_setting_that_is_shown_is_the_same_when_plain_yaml_reads_it_back() -> None:
    shown = gnomon("config", "show").output
    wanted = {setting.key: setting.value for setting in list_settings() if not setting.is_part_of_item}
    assert yaml.safe_load(shown) == wanted
    assert {key: type(value) for key, value in yaml.safe_load(shown).items()} == {
        key: type(value) for key, value in wanted.items()
    }


NUMBERS = st.floats(allow_nan=False) | st.integers(-(2**53), 2**53)
TEXTS = st.text(st.characters(codec="utf-8"))


@given(NUMBERS | TEXTS | st.booleans() | st.none() | st.lists(NUMBERS | TEXTS) | st.dictionaries(TEXTS, NUMBERS))
@example(1e-06)
@example("1e-06")
@example(1e300)
@example("yes")
@example("# no comment")
@example("\u2028\x7f\x85\n")
@example("word " * 100)
def test_values_are_one_line_of_yaml_that_gives_the_same_value(value: object) -> None:
    text = as_text(value)
    assert text.splitlines() == [text]
    read = yaml.safe_load(f"key: {text}  # default: {text}")["key"]
    assert (read, type(read)) == (value, type(value))


def test_show_as_json_has_the_values_by_key(file: Path) -> None:
    shown = json.loads(gnomon("config", "show", "--config", file, "--json").output)
    assert (shown["machine"], shown["network.ca_port"], shown["recorder.journal"]) == ("mls", 6064, None)
    assert shown["access.rules"] == [{"hosts": ["loopback"], "allow": "write"}, {"allow": "read"}]


def test_explain_gives_meaning_limits_and_values(file: Path) -> None:
    assert gnomon("config", "explain", "ca_port", "--config", file).output.splitlines() == [
        "network.ca_port",
        "  Channel Access port (TCP and UDP)",
        "  type: integer, at least 1, at most 65535",
        "  default: 5064",
        "  value: 6064",
    ]
    section = gnomon("config", "explain", "publish").output
    assert section.startswith("publish.repeat_hz\n")


def test_explain_of_an_unknown_key_names_near_ones() -> None:
    with pytest.raises(ConfigError, match=r"no setting or section 'acess'; near names: access"):
        gnomon("config", "explain", "acess")


def test_check_names_line_and_reason(file: Path, tmp_path: Path) -> None:
    assert "valid; role twin, machine mls" in gnomon("config", "check", file).output
    assert "default: 3" in gnomon("config", "check", file).output
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("machine: mls\nnetwork:\n  ca_prt: 6064\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"wrong.yaml:3: unknown key 'network.ca_prt'"):
        gnomon("config", "check", file, wrong)


def test_the_reference_page_agrees_with_the_schema() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run: python -m tests.tools.config_reference"
