"""The section `imperfections`: documented sizes that can be changed one by one, and bad ones that are refused."""

from pathlib import Path

import pytest

from gnomon.ioc.base.config import SHIPPED, Config, ConfigError, read_config
from gnomon.ioc.base.imperfections_config import ErrorsConfig, ImperfectionsConfig


def test_the_shipped_configuration_has_the_default_sizes() -> None:
    assert read_config(SHIPPED).imperfections == Config().imperfections == ImperfectionsConfig()
    assert all(value > 0.0 for value in ErrorsConfig().model_dump().values())


def test_one_size_can_be_given_and_the_others_stay(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("imperfections: {seed: 3, errors: {girder_y_m: 2.0e-4}}\n")
    found = read_config(file).imperfections
    assert found.seed == 3
    assert found.errors == ErrorsConfig(girder_y_m=2e-4)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{errors: {magnet_x: 1.0e-5}}", "unknown key 'imperfections.errors.magnet_x'.*magnet_x_m"),
        ("{errors: {magnet_x_m: -1.0e-5}}", "imperfections.errors.magnet_x_m"),
        ("{errors: {girder_roll_rad: .nan}}", "imperfections.errors.girder_roll_rad"),
        ("{errors: {quadrupole_gradient: 5}}", "imperfections.errors.quadrupole_gradient"),
        ("{seed: -1}", "imperfections.seed"),
        ("{scale: .inf}", "imperfections.scale"),
    ],
)
def test_bad_sizes_are_refused_by_name_and_line(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"role: machine\nimperfections: {text}\n")
    with pytest.raises(ConfigError, match=rf"config.yaml:2: .*{words}"):
        read_config(file)
