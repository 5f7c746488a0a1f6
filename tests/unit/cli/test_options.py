"""Options that several commands share: each changes its own setting, and no other."""

from pathlib import Path
from typing import Any

import pytest

from gnomon.cli.options import configure
from gnomon.ioc.base.config import ConfigError, read_config


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text("machine: mls\nprefix: 'FILE:'\nrecorder: {journal: /data/file.journal}\n")
    return path


def test_without_options_the_file_holds(file: Path) -> None:
    assert configure(file) == read_config(file)
    assert configure(file).prefix == "FILE:"


@pytest.mark.parametrize(
    ("options", "setting", "value"),
    [
        ({"machine": "bessy2"}, "machine", "bessy2"),
        ({"prefix": "A:"}, "prefix", "A:"),
        ({"prefix": ""}, "prefix", ""),
        ({"pvs": "plain"}, "pvs", "plain"),
        ({"journal": Path("/data/other")}, "recorder", Path("/data/other")),
    ],
)
def test_an_option_stands_above_the_file_and_changes_nothing_else(
    file: Path, options: dict[str, Any], setting: str, value: object
) -> None:
    given, plain = configure(file, **options), read_config(file)
    if setting == "recorder":
        assert given.journal() == value
    else:
        assert getattr(given, setting) == value
    assert given.model_dump(exclude={setting}) == plain.model_dump(exclude={setting})


def test_the_role_of_the_machine_has_no_prefix_unless_one_is_given(file: Path) -> None:
    assert configure(file, role="machine").prefix == ""
    assert configure(file, role="machine", prefix="A:").prefix == "A:"
    assert configure(file, role="twin").prefix == "FILE:"


@pytest.mark.parametrize(
    ("follow", "addresses", "protocol"),
    [
        ("ring", ("ring",), "ca"),
        ("ring:5064", ("ring:5064",), "ca"),
        ("ca://ring:5064", ("ring:5064",), "ca"),
        ("pva://ring:5075", ("ring:5075",), "pva"),
        ("pva://a:1,b:2", ("a:1", "b:2"), "pva"),
    ],
)
def test_follow_is_an_address_with_its_protocol(
    file: Path, follow: str, addresses: tuple[str, ...], protocol: str
) -> None:
    shadow = configure(file, role="shadow", follow=follow).shadow
    assert (tuple(shadow.addresses), shadow.protocol) == (addresses, protocol)


@pytest.mark.parametrize(
    "options", [{"role": "king"}, {"role": "shadow"}, {"follow": "http://ring"}, {"follow": ""}, {"follow": "pva://"}]
)
def test_options_that_make_no_sense_are_refused(file: Path, options: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        configure(file, **({"role": "shadow"} | options))  # type: ignore[arg-type]


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.yaml"):
        configure(tmp_path / "nothing.yaml")
