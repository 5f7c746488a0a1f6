"""The state of a server as it is told: well, in trouble, or not there; never old figures as if they were fresh."""

import pytest

from gnomon.clients.errors import NoServerError
from gnomon.clients.overview import Overview
from gnomon.clients.reading import Reading
from gnomon.clients.server_choice import Target
from gnomon.services.forward import server_access
from gnomon.services.forward.server_access import ServerAccess


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> ServerAccess:
    monkeypatch.setattr(server_access, "choose_one", lambda prefix: Target(prefix))
    access = ServerAccess()
    monkeypatch.setattr(access._pool, "_make", lambda target, seconds: None)
    return access


async def test_figures_are_told_with_unit_and_severity_and_invalid_ones_without_value(
    server: ServerAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = {
        "beam.found": Reading("T:dt:beam", "no beam", severity=0, index=0),
        "tune.x": Reading("T:tune", 0.7, unit="", severity=3),
        "beam.current": Reading("T:current", 200.0, unit="mA"),
        "status.heartbeat": Reading("T:beat", 17),
    }
    monkeypatch.setattr(server_access, "read_overview", lambda client, count: Overview(Target("T:"), readings))
    state = await server.read_state("T:")
    assert state.runs
    assert state.attention == ("no beam: no reason is given",)
    assert state.readings["tune.x"].value is None
    assert state.readings["tune.x"].severity == "INVALID"
    assert (state.readings["beam.current"].value, state.readings["beam.current"].unit) == (200.0, "mA")
    assert "status.heartbeat" not in state.readings  # it would make each state a new one


async def test_no_server_is_a_state_too(server: ServerAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    def choose(prefix: str) -> Target:
        raise NoServerError("none runs")

    monkeypatch.setattr(server_access, "choose_one", choose)
    state = await server.read_state("T:")
    assert (state.runs, state.readings, state.text) == (False, {}, "no server: none runs")
    server.close()
