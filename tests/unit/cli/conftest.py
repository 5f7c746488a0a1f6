import pytest

from unit.cli.commands import FakeCall


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> FakeCall:
    fake = FakeCall()
    monkeypatch.setattr("gnomon.recorder.remote.call_procedure", fake)
    return fake
