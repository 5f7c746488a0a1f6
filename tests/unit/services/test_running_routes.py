"""A running server over HTTP: state, settings, recorded commands, snapshots, faults, as the command line has them."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from gnomon.clients.errors import NoAnswerError
from gnomon.lattice import Outcome
from gnomon.recorder import Reader
from unit.ioc.rig import CLIENT
from unit.services.conftest import client_of
from unit.services.served_twin import ServedTwin, first_events, served_twin


@pytest.fixture
def twin(tmp_path: Path) -> Iterator[ServedTwin]:
    with served_twin(tmp_path) as served:
        yield served


@pytest.fixture
async def rest(twin: ServedTwin, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(tmp_path, config=twin.config) as opened:
        yield opened


async def put(rest: httpx.AsyncClient, value: float, pv: str = "CP:set", note: str = "") -> httpx.Response:
    return await rest.post("/v1/settings", json={"settings": [{"pv": pv, "value": value}], "note": note})


def value(twin: ServedTwin) -> float:
    return float(twin.rig.get("T:CP:set").value)


async def test_settings_are_one_command_and_answered_when_their_orbit_is_out(
    twin: ServedTwin, rest: httpx.AsyncClient
) -> None:
    made = (await put(rest, 0.5, note="a test")).json()
    assert (made["sequence"], made["attention"]) == (1, "")
    assert [made["settings"][0][when]["value"] for when in ("old", "new")] == [0.0, 0.5]
    (reading,) = (await rest.get("/v1/readings", params={"name": "T:CP:set"})).json()["readings"]
    assert (reading["name"], reading["value"], reading["unit"]) == ("T:CP:set", 0.5, "A")
    refused = await put(rest, 1000.0)
    assert refused.status_code == 422
    assert "outside the drive limits" in refused.json()["detail"]
    told = [refused.json()[name] for name in ("field", "value", "unit")]
    assert told == ["settings[0].value", 1000.0, "A"]
    assert value(twin) == 0.5
    missing = await put(rest, 1.0, "CQ:set")
    assert (missing.status_code, "near names" in missing.json()["detail"]) == (404, True)
    twice = {"settings": [{"pv": "CP:set", "value": 1.0}] * 2}
    assert (await rest.post("/v1/settings", json=twice)).json()["field"] == "settings[1]"
    both = {"settings": [{"pv": "CP:set", "value": 1.0, "state": "on"}]}
    assert (await rest.post("/v1/settings", json=both)).json()["field"] == "settings[0]"
    pattern = {"settings": [{"pv": "C*:set", "value": 1.0}]}
    assert "is a pattern" in (await rest.post("/v1/settings", json=pattern)).json()["detail"]


async def test_state_and_servers_are_told(twin: ServedTwin, rest: httpx.AsyncClient) -> None:
    state = (await rest.get("/v1/state")).json()
    assert (state["prefix"], state["machine"]) == ("T:", "small")
    assert state["readings"]["lattice.id"]["value"]
    (served,) = (await rest.get("/v1/servers")).json()["servers"]
    assert (served["prefix"], served["role"]) == ("T:", "twin")


async def test_recorded_commands_are_listed_in_pages_from_either_end(rest: httpx.AsyncClient) -> None:
    for number in range(1, 6):
        await put(rest, number / 10, note=f"number {number}")
    newest = (await rest.get("/v1/recordings", params={"count": 2})).json()
    assert ([each["sequence"] for each in newest["commands"]], newest["following"], newest["last"]) == ([4, 5], 3, 5)
    before = (await rest.get("/v1/recordings", params={"count": 3, "last": newest["following"]})).json()
    assert ([each["sequence"] for each in before["commands"]], before["following"]) == ([1, 2, 3], None)
    oldest = (await rest.get("/v1/recordings", params={"count": 2, "oldest": True})).json()
    assert ([each["note"] for each in oldest["commands"]], oldest["following"]) == (["number 1", "number 2"], 3)
    of = (await rest.get("/v1/recordings", params={"pv": "CP", "outcome": "applied", "since": "1h"})).json()
    assert len(of["commands"]) == 5
    assert (await rest.get("/v1/recordings", params={"pv": "QF"})).json()["commands"] == []
    assert (await rest.get("/v1/recordings", params={"since": "soon"})).json()["field"] == "since"
    one = (await rest.get("/v1/recordings/3")).json()
    assert (one["changes"][0]["new"], one["outcome"], one["outcomes"][0]["effects"][0]["done"]) == (0.3, "applied", 0.3)
    assert (await rest.get("/v1/recordings/6")).status_code == 404


async def test_a_page_ends_before_it_has_too_many_changes(
    rest: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 4):
        await put(rest, number / 10)
    monkeypatch.setattr("gnomon.clients.recorded_commands.MAX_CHANGES", 5)  # two of each command
    page = (await rest.get("/v1/recordings")).json()
    assert ([each["sequence"] for each in page["commands"]], page["following"]) == ([2, 3], 1)
    page = (await rest.get("/v1/recordings", params={"oldest": True})).json()
    assert ([each["sequence"] for each in page["commands"]], page["following"]) == ([1, 2], 3)
    monkeypatch.setattr("gnomon.clients.recorded_commands.MAX_CHANGES", 1)
    assert len((await rest.get("/v1/recordings")).json()["commands"]) == 1


async def test_commands_come_as_events_from_a_number_on(
    twin: ServedTwin, rest: httpx.AsyncClient, tmp_path: Path
) -> None:
    for number in range(1, 4):
        await put(rest, number / 10)
    events = await first_events(twin, tmp_path, "after=1", {}, 2)
    assert [(event["event"], event["id"], json.loads(event["data"])["changes"][0]["new"]) for event in events] == [
        ("command", "2", 0.2),
        ("command", "3", 0.3),
    ]
    (event,) = await first_events(twin, tmp_path, "after=0", {"Last-Event-ID": "2"}, 1)
    assert event["id"] == "3"


async def test_undo_says_what_it_would_set_and_sets_it_when_told(twin: ServedTwin, rest: httpx.AsyncClient) -> None:
    for number in (1, 2):
        await put(rest, number / 10)
    planned = (await rest.post("/v1/recordings/undo", json={"last": 1})).json()
    assert (planned["sent"], planned["settings"][0]["now"], planned["settings"][0]["value"]) == (False, 0.2, 0.1)
    assert value(twin) == 0.2
    undone = (await rest.post("/v1/recordings/undo", json={"commands": [2], "dry_run": False})).json()
    assert (undone["sent"], undone["sequence"], value(twin)) == (True, 3, 0.1)
    clash = await rest.post("/v1/recordings/undo", json={"commands": [2], "dry_run": False})
    assert (clash.status_code, "`force`" in clash.json()["detail"]) == (409, True)
    assert (await rest.post("/v1/recordings/undo", json={})).json()["field"] == "commands"
    restored = (await rest.post("/v1/recordings/restore", json={"to": 2, "dry_run": False})).json()
    assert (restored["note"], value(twin)) == ("restore --to 2", 0.2)
    again = (await rest.post("/v1/recordings/restore", json={"to": 2, "dry_run": False})).json()
    assert (again["settings"], again["sent"]) == ([], False)
    differences = (await rest.get("/v1/recordings/differences", params={"first": 0, "second": 1})).json()
    assert [(d["device"], d["first"], d["second"]) for d in differences["differences"]] == [("CP", 0.0, 0.1)]


async def test_numbers_that_are_not_finite_are_null(rest: httpx.AsyncClient, twin: ServedTwin) -> None:
    loop_put = twin.rig.dispatcher.put(twin.rig.bank.index["T:CP:set"], float("nan"), CLIENT)
    await asyncio.wrap_future(loop_put)
    (command,) = (await rest.get("/v1/recordings")).json()["commands"]
    assert (command["outcome"], command["changes"][0]["new"]) == (Outcome.REJECTED, None)


async def test_a_snapshot_is_taken_compared_restored_and_deleted(twin: ServedTwin, rest: httpx.AsyncClient) -> None:
    await put(rest, 0.5)
    taken = await rest.post("/v1/snapshots", json={"name": "flat", "comment": "a test"})
    assert (taken.status_code, taken.json()["revision"], taken.json()["complete"]) == (201, 1, True)
    assert (await rest.post("/v1/snapshots", json={"name": "flat"})).status_code == 409
    assert (await rest.post("/v1/snapshots", json={"name": "a/b"})).status_code == 422
    await put(rest, 0.1)
    (different,) = (await rest.get("/v1/snapshots/flat/differences")).json()["differences"]
    assert different == {"pv": "CP:set", "first": 0.5, "second": 0.1, "unit": "A"}
    loose = await rest.get("/v1/snapshots/flat/differences", params={"tolerance": "current=1"})
    assert loose.json()["differences"] == []
    assert (await rest.post("/v1/snapshots/flat/restore", json={})).json()["sent"] is False
    assert value(twin) == 0.1
    restored = (await rest.post("/v1/snapshots/flat/restore", json={"dry_run": False})).json()
    assert (restored["lattice"], value(twin)) == (taken.json()["lattice_id"], 0.5)
    again = await rest.post("/v1/snapshots", json={"name": "flat", "replace": True})
    assert again.json()["revision"] == 2
    assert (await rest.get("/v1/snapshots")).json()["total"] == 1
    shown = (await rest.get("/v1/snapshots/flat", params={"revision": 1})).json()
    assert {entry["pv"]: entry["value"] for entry in shown["entries"]}["CP:set"] == 0.5
    other = await rest.get("/v1/snapshots/flat/differences", params={"other": "flat"})
    assert other.json()["differences"] == []
    assert (await rest.delete("/v1/snapshots/flat")).status_code == 200
    assert (await rest.get("/v1/snapshots/flat")).status_code == 404


async def test_faults_are_listed_added_refused_and_cleared(twin: ServedTwin, rest: httpx.AsyncClient) -> None:
    kinds = {each["kind"]: each for each in (await rest.get("/v1/faults/kinds")).json()["kinds"]}
    assert "delay_s" in kinds["delay"]["keys"]["properties"]
    added = await rest.post("/v1/faults", json={"kind": "modify", "keys": {"device": "CP", "scale": 1.5, "count": 2}})
    assert added.status_code == 201
    (active,) = (await rest.get("/v1/faults")).json()["faults"]
    assert (active["kind"], active["remaining"]) == ("modify", 2)
    assert active["keys"] == {"device": "CP", "scale": 1.5, "count": 2}
    await put(rest, 0.2)
    command = (await rest.get("/v1/recordings", params={"pv": "CP"})).json()["commands"][0]
    assert (command["outcome"], command["outcomes"][0]["effects"][0]["done"]) == ("modified", pytest.approx(0.3))
    refused = await rest.post("/v1/faults", json={"kind": "dely"})
    assert (refused.status_code, "near names: delay" in refused.json()["detail"]) == (422, True)
    odd = await rest.post("/v1/faults", json={"kind": "delay", "keys": {"device": ["CP"]}})
    assert odd.json()["field"] == "keys.device"
    assert (await rest.delete("/v1/faults/77")).status_code == 422
    (cleared,) = (await rest.delete(f"/v1/faults/{active['id']}")).json()["faults"]
    assert cleared["unrecorded"] == ""
    assert (await rest.delete("/v1/faults")).json()["faults"] == []


async def test_a_running_lattice_is_kept_to_compute_with(twin: ServedTwin, rest: httpx.AsyncClient) -> None:
    made = (await put(rest, 0.5)).json()
    kept = await rest.post("/v1/lattices", json={"running": "T:"})
    assert (kept.status_code, kept.json()["id"]) == (201, made["lattice"])
    settings = await rest.get(f"/v1/lattices/{made['lattice']}/settings", params={"device": "CP"})
    assert {each["property"]: each["value"] for each in settings.json()["settings"]}["current"] == 0.5


async def test_a_server_that_is_not_there_is_told_with_what_to_do(
    twin: ServedTwin, rest: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in ("/v1/state", "/v1/recordings", "/v1/faults", "/v1/recordings/events"):
        missing = await rest.get(path, params={"prefix": "NONE:"})
        assert (missing.status_code, "gnomon serve" in missing.json()["action"]) == (404, True)

    def silent(*_: object) -> None:
        raise NoAnswerError("T:dt:journal: no server answered within 5 s")

    monkeypatch.setattr(twin, "call", silent)
    answer = await rest.get("/v1/recordings")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")


async def test_a_journal_that_is_elsewhere_is_told(twin: ServedTwin, rest: httpx.AsyncClient) -> None:
    twin.rig.journal.path = Path("/nowhere/journal")
    answer = await rest.get("/v1/recordings")
    assert (answer.status_code, "not on this computer" in answer.json()["detail"]) == (409, True)


async def test_every_command_stands_in_the_journal_with_its_note(twin: ServedTwin, rest: httpx.AsyncClient) -> None:
    await put(rest, 0.5, note="by a program")
    with Reader(twin.rig.journal.path) as reader:
        assert reader.entry(1).note == "by a program"
