"""Sections about what is kept: a catalogue is an address without a key, which would stand in files and messages."""

import pytest
from pydantic import ValidationError

from gnomon.ioc.base.keeping_config import RecorderConfig, ResultsConfig


@pytest.mark.parametrize("address", ["http://127.0.0.1:8000/api/v1", "https://tiled.example.org/api/v1/metadata/a/b"])
def test_address_of_a_catalogue_is_taken(address: str) -> None:
    assert ResultsConfig(tiled=address).tiled == address


@pytest.mark.parametrize("address", ["tiled.example.org", "file:///x", "http://h/api/v1?api_key=x", "http://h/a b"])
def test_text_that_is_not_an_address_or_holds_a_key_is_refused(address: str) -> None:
    with pytest.raises(ValidationError):
        ResultsConfig(tiled=address)


def test_results_go_to_no_catalogue_and_journals_are_archived_by_size_unless_told_otherwise() -> None:
    assert ResultsConfig().tiled is None
    assert RecorderConfig().rotate.megabytes == 256.0
