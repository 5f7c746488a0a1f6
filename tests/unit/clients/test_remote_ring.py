"""A running twin as a ring to script: what is asked of it, and what its answers become."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from gnomon.clients.epics_client import EpicsClient, PvInfo
from gnomon.clients.errors import ClientError, NotFoundError
from gnomon.clients.reading import Reading
from gnomon.clients.remote_ring import RemoteRing
from gnomon.clients.server_choice import Target


def info(name: str, source: str, device: str = "", property: str = "") -> PvInfo:
    return PvInfo(f"T:{name}", source, device, property, "", source == "set", "")


LISTED = (
    info("Q1:set", "set", "Q1", "current"), info("Q1:k1", "set", "Q1", "k1_trim"), info("Q1:rdbk", "readback", "Q1"),
    info("MUX:set", "set", "MUX", "state"), info("S1:a", "set", "S1", "k2"), info("S1:b", "set", "S1", "k3"),
    info("nu:x", "twiss.nu.x"), info("nu:y", "twiss.nu.y"),
    info("names", "monitor.names"), info("s", "monitor.s"), info("x", "orbit.difference.x"),
    info("y", "orbit.difference.y"), info("x0", "reference.x"), info("y0", "reference.y"),
)  # fmt: skip


class FakeClient(EpicsClient):
    """A client of a twin in memory."""

    def __init__(self) -> None:
        self.target, self.timeout_s = Target("T:"), 1.0
        self._listed = {each.name: each for each in LISTED}
        self.sent: list[tuple[dict[str, Any], str]] = []
        self.tries = 0
        self.torn = 0  # how many times the planes are of different results
        self.known = {
            "T:Q1:set": Reading("T:Q1:set", 218.5, "A", limits=(0.0, 300.0)),
            "T:Q1:rdbk": Reading("T:Q1:rdbk", 218.4, "A"),
            "T:Q1:k1": Reading("T:Q1:k1", 2.5, "1/m"),
            "T:MUX:set": Reading("T:MUX:set", "on", states=("off", "on"), index=1),
            "T:names": Reading("T:names", ["B1", "B2"]),
            "T:s": Reading("T:s", np.array([1.0, 2.0]), "m"),
            "T:x0": Reading("T:x0", np.array([0.5, 0.25]), "mm"),
            "T:y0": Reading("T:y0", np.array([0.0, 1.0]), "mm"),
        }

    def get(self, *names: str) -> list[Reading]:
        self.tries += 1
        values = {"T:x": [1.0, 2.0], "T:y": [3.0, 4.0], "T:nu:x": [0.0, 17.75], "T:nu:y": [0.0, 6.5]}
        late = self.tries if self.tries <= self.torn else 0
        moving = {n: Reading(n, np.array(v), "mm", time_ns=5 + late * n.endswith("y")) for n, v in values.items()}
        return [(self.known | moving)[self.full_name(name)] for name in names]

    def set(self, settings: Mapping[str, float | str], note: str = "") -> dict[str, Any]:
        self.sent.append((dict(settings), note))
        for name, value in settings.items():
            self.known[name] = Reading(name, value)
        return {"sequence": 7, "lattice_id": "abc"}


@pytest.fixture
def client() -> FakeClient:
    return FakeClient()


@pytest.fixture
def ring(client: FakeClient) -> RemoteRing:
    return RemoteRing(client)


def test_set_sends_one_command_and_tells_what_was_and_is(ring: RemoteRing, client: FakeClient) -> None:
    done = ring.set({"T:Q1:k1": 2.0}, "why", Q1=220.0)
    assert client.sent == [({"T:Q1:k1": 2.0, "T:Q1:set": 220.0}, "why")]
    assert (done.sequence, done.lattice_id) == (7, "abc")
    assert done.old == {"T:Q1:k1": 2.5, "T:Q1:set": 218.5}
    assert done.new == {"T:Q1:k1": 2.0, "T:Q1:set": 220.0}


def test_a_set_that_is_not_clear_sends_nothing(ring: RemoteRing, client: FakeClient) -> None:
    with pytest.raises(ClientError, match="at least one setting"):
        ring.set()
    with pytest.raises(ClientError, match="S1 has several setpoints; name one of them: T:S1:a, T:S1:b"):
        ring.set(S1=1.0)
    with pytest.raises(NotFoundError, match="no device or PV 'MUXX' under 'T:'; near names: MUX"):
        ring.set(Q1=1.0, MUXX=1.0)
    assert client.sent == []


def test_a_device_stands_for_its_setpoint(ring: RemoteRing) -> None:
    assert ring["Q1"] == 218.5
    assert ring.get("Q1:rdbk") == 218.4
    assert ring.get("Q1", "MUX") == {"T:Q1:set": 218.5, "T:MUX:set": "on"}


def test_found_settings_are_rows_by_device_or_by_pv_where_it_has_several(ring: RemoteRing) -> None:
    table = ring.find("Q1", "MUX")
    assert table.names == ("T:Q1:set", "T:Q1:k1", "MUX")
    np.testing.assert_array_equal(table.columns["value"], [218.5, 2.5, 1.0])
    np.testing.assert_array_equal(table.columns["low"], [0.0, np.nan, np.nan])
    np.testing.assert_array_equal(table.columns["high"], [300.0, np.nan, np.nan])
    assert list(table.columns["pv"]) == ["T:Q1:set", "T:Q1:k1", "T:MUX:set"]


def test_the_orbit_is_difference_and_reference(ring: RemoteRing) -> None:
    orbit = ring.orbit
    assert orbit.names == ("B1", "B2")
    np.testing.assert_array_equal(orbit.columns["x"], [1.5, 2.25])
    np.testing.assert_array_equal(orbit.columns["y"], [3.0, 5.0])
    assert orbit.units == {"s": "m", "x": "mm", "y": "mm"}


def test_planes_of_different_results_are_read_again(ring: RemoteRing, client: FakeClient) -> None:
    client.torn = 3
    tunes = ring.tunes
    assert (tunes.x, tunes.y) == (17.75, 6.5)
    assert client.tries == 4


def test_readings_that_never_belong_together_are_an_error(ring: RemoteRing, client: FakeClient) -> None:
    client.torn = 1000
    with pytest.raises(ClientError, match="the readings changed while they were read"):
        _ = ring.tunes
    assert client.tries == 20


def test_a_quantity_that_no_pv_shows_is_named_in_the_error(ring: RemoteRing) -> None:
    with pytest.raises(NotFoundError, match=r"no PV that shows chromaticity\.x"):
        _ = ring.chromaticities


def test_the_model_needs_a_machine_where_the_server_is_elsewhere(ring: RemoteRing) -> None:
    with pytest.raises(ClientError, match="name its machine"):
        ring.model()
