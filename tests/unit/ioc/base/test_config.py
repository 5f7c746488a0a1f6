"""The configuration: described, complete, and strict by file and line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from gnomon.db.mongo_address import parse_mongo_address
from gnomon.ioc.base.clients_config import AccessConfig
from gnomon.ioc.base.config import SHIPPED, Config, ConfigError, RecorderConfig, Section, read_config


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    return file


def keys(model: type[BaseModel], path: str = "") -> set[str]:
    found = set()
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            found |= keys(inner, f"{path}{name}.")
        else:
            found.add(path + name)
    return found


def given(data: dict[str, object], path: str = "") -> set[str]:
    found = set()
    for name, value in data.items():
        keys_are_the_users = name.endswith(("_groups", "start", "_of"))
        if isinstance(value, dict) and not keys_are_the_users:
            found |= given(value, f"{path}{name}.")
        else:
            found.add(path + name)
    return found


def test_the_shipped_file_holds_every_setting_at_its_default() -> None:
    assert given(yaml.safe_load(SHIPPED.read_text())) == keys(Config)
    assert read_config() == Config()


def test_every_setting_is_described() -> None:
    def undescribed(model: type[BaseModel]) -> list[str]:
        names = []
        for name, field in model.model_fields.items():
            inner = field.annotation
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                names += undescribed(inner) + ([] if inner.__doc__ else [name])
            elif not field.description:
                names.append(name)
        return names

    assert undescribed(Config) == []


def test_an_unknown_key_is_refused_by_name_and_line(tmp_path: Path) -> None:
    file = write(tmp_path, "machine: mls\nmodel:\n  timeout_s: 1\n  timeout: 2\n")
    reason = r"mine\.yaml:4: unknown key 'model\.timeout'; known keys: momentum, timeout_s"
    with pytest.raises(ConfigError, match=reason):
        read_config(file)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("model:\n  timeout_s: -1\n", r"mine\.yaml:2: model\.timeout_s: input should be greater than 0, got -1"),
        ("network:\n  ca_port: many\n", r"mine\.yaml:2: network\.ca_port: input should be a valid integer"),
        ("model:\n  timeout_s: 1\n  timeout_s: 2\n", r"mine\.yaml:3: key 'timeout_s' is given twice"),
        ("prefix: 'a b'\n", r"mine\.yaml:1: prefix: string should match pattern"),
        (
            "shadow:\n  addresses: ['m:99999']\n",
            r"mine\.yaml:2: shadow\.addresses: .*'m:99999' is not an address; use host or host:port",
        ),
        ("machine: [\n", r"mine\.yaml: not YAML"),
        ("- a\n- b\n", r"mine\.yaml:1: the document"),
    ],
)
def test_a_wrong_value_is_refused_by_key_and_line(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        read_config(write(tmp_path, text))


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    assert read_config(write(tmp_path, "")) == Config()


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ConfigError, match=r"/nowhere/x\.yaml: cannot be read"):
        read_config(Path("/nowhere/x.yaml"))


def test_each_machine_and_prefix_has_its_own_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    journals = {Config(machine=m, prefix=p).journal() for m in ("bessy2", "mls") for p in ("", "TWIN:", "A:B:")}
    assert len(journals) == 6
    assert Config().journal() == Path("/state/gnomon/bessy2.TWIN.journal")


def test_a_fork_has_another_prefix_and_a_journal_beside_ours() -> None:
    given = Config(recorder=RecorderConfig(journal=Path("/data/shift.journal"), restore=True))
    fork = given.forked("WHAT:IF:")
    assert (fork.prefix, fork.journal()) == ("WHAT:IF:", Path("/data/shift.WHAT-IF.journal"))
    assert fork.recorder.restore
    assert Config().forked("F:").journal() == Config(prefix="F:").journal()
    with pytest.raises(ConfigError, match="prefix: string should match"):
        given.forked("A B:")


def test_a_file_of_many_brackets_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "deep.yaml"
    file.write_text("[" * 700, encoding="utf-8")
    with pytest.raises(ConfigError, match="too many brackets within each other"):
        read_config(file)


def test_a_key_counts_before_one_that_is_merged_into_its_section(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("guard:\n  <<: {max_connections: 5}\n  max_connections: 7\n")
    assert read_config(path).guard.max_connections == 7
    path.write_text("guard:\n  <<: {max_connections: 5}\n  max_connections: many\n")
    with pytest.raises(ConfigError, match=r"config\.yaml:3: guard\.max_connections: .*'many'"):
        read_config(path)


def test_rules_of_access_name_groups_that_there_are() -> None:
    assert AccessConfig().host_groups == {"loopback": ("127.0.0.0/8", "::1")}
    with pytest.raises(ValueError, match="rule 1 names the unknown host group 'office'; known groups: loopback"):
        AccessConfig.model_validate({"rules": [{"hosts": ["office"], "allow": "read"}]})
    with pytest.raises(ValueError, match=r"host group 'office': .*; use IP addresses or networks"):
        AccessConfig.model_validate({"host_groups": {"office": ["here"]}})


def file_fields(section: type[Section], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the keys of every setting that is the name of a file."""
    for key, field in section.model_fields.items():
        kind: Any = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            yield from file_fields(kind, (*above, key))
        elif Path in (kind, *get_args(kind)):
            yield (*above, key)


@pytest.mark.parametrize("keys", sorted({*file_fields(Config), ("machine",), ("pvs",)}), ids=".".join)
def test_every_file_name_is_relative_to_the_configuration(keys: tuple[str, ...], tmp_path: Path) -> None:
    document: Any = "here/file.json"
    for key in reversed(keys):
        document = {key: document}
    (tmp_path / "ring.yaml").write_text(json.dumps(document))
    read: Any = read_config(tmp_path / "ring.yaml")
    for key in keys:
        read = getattr(read, key)
    assert str(read) == str(tmp_path / "here" / "file.json")


def test_the_files_of_the_address_of_a_server_are_relative_to_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "ring.yaml").write_text("store: {mongodb: 'mongodb://u@h/x?passwordFile=secret'}\n")
    address = read_config(tmp_path / "ring.yaml").store.mongodb
    assert address is not None
    assert dict(parse_mongo_address(address).options)["passwordFile"] == str(tmp_path / "secret")
