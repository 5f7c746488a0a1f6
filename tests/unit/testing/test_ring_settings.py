"""Settings of a served ring: what project and markers say, and what the server is asked for."""

from pathlib import Path

import pytest

from gnomon.testing.ring_settings import PUBLISH, RingSettings, SettingsError

NETWORK = {"ca_port": 1, "pva_port": 2, "pva_broadcast_port": 3}


def test_a_twin_has_a_prefix_and_a_machine_the_names_of_the_real_one_unless_one_is_given() -> None:
    assert RingSettings().served_prefix == "TWIN:"
    assert RingSettings(role="machine").served_prefix == ""
    assert RingSettings(role="machine", prefix="M:").served_prefix == "M:"
    assert RingSettings(prefix="").served_prefix == ""


def test_the_request_has_machine_role_prefix_ports_and_seed_and_searches_for_nobody() -> None:
    request = RingSettings(machine="mls", role="machine", seed=7).request(NETWORK)
    assert request["file"] is None
    changes = request["changes"]
    assert (changes["machine"], changes["role"], changes["prefix"]) == ("mls", "machine", "")
    assert changes["network"] == NETWORK | {"check_names": False}
    assert changes["faults"] == changes["imperfections"] == {"seed": 7}
    assert changes["publish"] == PUBLISH


def test_sections_of_a_configuration_go_before_what_tests_have_by_default() -> None:
    given = {"publish": {"repeat_hz": 1.0}, "imperfections": {"scale": 2.0, "seed": 3}, "model": {"timeout_s": 2.0}}
    changes = RingSettings(config=given).request(NETWORK)["changes"]
    assert changes["publish"] == PUBLISH | {"repeat_hz": 1.0}
    assert changes["imperfections"] == {"scale": 2.0, "seed": 3}
    assert changes["model"] == {"timeout_s": 2.0}


def test_a_file_is_relative_to_the_file_that_names_it_and_keeps_its_own_settings(tmp_path: Path) -> None:
    settings = RingSettings().with_marker({"config": "ring.yaml", "machine": "own.json"}, tmp_path)
    request = settings.request(NETWORK)
    assert request["file"] == str(tmp_path / "ring.yaml")
    assert request["changes"]["machine"] == str(tmp_path / "own.json")
    assert "publish" not in request["changes"]
    assert RingSettings(machine="mls", folder=tmp_path).request(NETWORK)["changes"]["machine"] == "mls"


def test_a_marker_changes_what_it_names_and_leaves_the_rest(tmp_path: Path) -> None:
    project = RingSettings(machine="mls", seed=3)
    assert project.with_marker({"seed": "5"}, tmp_path) == RingSettings(machine="mls", seed=5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"maschine": "mls"}, r"gnomon\(maschine=...\): unknown; known are machine, role, prefix, seed, config"),
        ({"role": "shadow"}, r"gnomon\(role='shadow'\): it must be 'twin' or 'machine'"),
        ({"seed": "three"}, r"gnomon\(seed='three'\): it must be a whole number"),
    ],
)
def test_a_word_or_value_that_cannot_be_is_refused_by_name(given: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        RingSettings().with_marker(given, Path())
