"""Downstreams of a configuration: those that it names, with secrets from where it says, and none by default."""

from pathlib import Path
from typing import Any

import pytest

from gnomon.ioc.base.config import Config, read_config
from gnomon.lattice import GnomonError
from gnomon.services.forward.configured import NAMES, configured_downstreams, source_of


def config(folder: Path, **forward: Any) -> Config:
    return Config.model_validate({"store": {"path": str(folder / "store")}, "forward": forward})


def test_all_that_is_named_is_made_in_the_order_of_the_names(tmp_path: Path) -> None:
    settings = {
        "mqtt": {"host": "127.0.0.1", "requests": True},
        "mongodb": {"uri": "mongodb://127.0.0.1:9"},
        "logbook": {"url": "http://127.0.0.1:9/"},
    }
    with configured_downstreams(config(tmp_path, **settings)) as made:
        assert [each.name for each in made] == [name for name in NAMES if name != "tiled"]
    assert (tmp_path / "services.token").exists()  # requests need the token of the services


def test_nothing_to_forward_to_is_told(tmp_path: Path) -> None:
    with pytest.raises(GnomonError, match=r"forward\.mqtt\.host"), configured_downstreams(read_config()):
        pass
    with (
        pytest.raises(GnomonError, match=r"results\.tiled"),
        configured_downstreams(config(tmp_path, tiled={"enabled": True})),
    ):
        pass


def test_a_password_that_others_can_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2")
    mqtt = {"host": "127.0.0.1", "password_file": str(tmp_path / "secret")}
    with pytest.raises(GnomonError, match="chmod 600"), configured_downstreams(config(tmp_path, mqtt=mqtt)):
        pass


def test_a_fork_forwards_nothing(tmp_path: Path) -> None:
    assert not config(tmp_path, mqtt={"host": "h"}).forked("FORK:").forward.is_used


def test_options_take_precedence_over_the_configuration(tmp_path: Path) -> None:
    source = source_of(config(tmp_path), tmp_path / "j", tmp_path / "r")
    assert (source.journal, source.results) == (tmp_path / "j", tmp_path / "r")
    assert source_of(config(tmp_path)).results == tmp_path / "results"
