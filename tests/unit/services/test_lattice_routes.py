"""Lattices over HTTP: created, updated to new ones by content, and computed with, as `gnomon.ring` computes."""

import httpx
import numpy as np
import pytest

import gnomon
from gnomon.db import shipped_document

STEERER = next(m.supply for m in shipped_document("mls").magnets if "H" in m.supply and m.name.startswith(("H", "S")))


async def updated(client: httpx.AsyncClient, *updates: tuple[str, str, str, float]) -> httpx.Response:
    rows = [dict(zip(("lattice", "device", "property", "value"), each, strict=True)) for each in updates]
    return await client.post("/v1/updates", json={"updates": rows})


async def test_a_document_and_a_name_give_the_same_lattice(client: httpx.AsyncClient, mls: str) -> None:
    document = shipped_document("mls").model_dump(mode="json", by_alias=True)
    again = await client.post("/v1/lattices", json={"document": document})
    assert (again.status_code, again.json()["id"], again.headers["location"]) == (200, mls, f"/v1/lattices/{mls}")
    assert (await client.get(f"/v1/lattices/{mls}/document")).json() == document
    assert mls == gnomon.ring("mls").id


async def test_an_update_makes_a_new_lattice_and_leaves_the_old_one(client: httpx.AsyncClient, mls: str) -> None:
    made = await updated(client, (mls, STEERER, "current", 0.1))
    new = made.json()["updated"][0]["lattice"]
    assert (new["id"], new["changes"]) == (gnomon.ring("mls").set({STEERER: 0.1}).id, 1)
    back = await updated(client, (new["id"], STEERER, "current", 0.0))
    assert back.json()["updated"][0]["lattice"]["id"] == mls
    listed = (await client.get("/v1/lattices")).json()["lattices"]
    assert {each["id"] for each in listed} == {mls, new["id"]}
    shown = (await client.get(f"/v1/lattices/{new['id']}/settings", params={"device": STEERER})).json()["settings"]
    assert [(s["value"], s["nominal"]) for s in shown if s["property"] == "current"] == [(0.1, 0.0)]


async def test_of_a_vector_of_updates_all_are_made_or_none(client: httpx.AsyncClient, mls: str) -> None:
    answer = await updated(client, (mls, STEERER, "current", 0.1), (mls, STEERER, "currant", 1.0))
    assert answer.status_code == 422
    assert answer.json()["field"] == "updates[1]"
    assert len((await client.get("/v1/lattices")).json()["lattices"]) == 1
    twice = await updated(client, (mls, STEERER, "current", 0.1), (mls, STEERER, "current", 0.2))
    assert twice.json()["field"] == "updates[1]"


async def test_a_refused_value_is_named_with_its_limit_and_unit(client: httpx.AsyncClient, mls: str) -> None:
    problem = (await updated(client, (mls, STEERER, "current", 1e6))).json()
    assert (problem["field"], problem["value"], problem["unit"]) == ("updates[0].value", 1e6, "A")
    assert " to " in problem["limit"]
    assert "outside the limits" in problem["detail"]
    assert problem["action"]


async def test_optics_and_response_are_those_of_the_ring(client: httpx.AsyncClient, mls: str) -> None:
    ring = gnomon.ring("mls")
    optics = (await client.get(f"/v1/lattices/{mls}/optics", params={"at": "elements"})).json()
    assert optics["table"]["columns"]["beta_x"] == ring.optics.beta_x.tolist()
    assert optics["table"]["units"]["x"] == "mm"
    assert tuple(optics["tunes"].values()) == tuple(ring.tunes)
    response = (await client.get(f"/v1/lattices/{mls}/response")).json()
    assert np.array_equal(response["x"], ring.orm().columns["x"])
    assert response["unit"] == "mm/A"


@pytest.mark.parametrize("momentum", ["frequency", "orbit"])
async def test_propagation_observes_the_beam_and_carries_particles(
    client: httpx.AsyncClient, mls: str, momentum: str
) -> None:
    base = (await updated(client, (mls, STEERER, "current", 0.1))).json()["updated"][0]["lattice"]["id"]
    configuration = {"momentum": momentum, "observe": ["orbit", "tunes", "chromaticities", "monitor_optics"]}
    asked = {"phase_space": [{"x": 1e-4}, {"x": 2.0}], "configuration": configuration}
    answer = (await client.post(f"/v1/lattices/{base}/propagate", json=asked)).json()
    assert answer["beam"]
    assert (answer["closed_orbit"]["delta"] == 0.0) == (momentum == "orbit")
    seen = answer["observations"]
    assert seen["orbit"]["names"] == seen["monitor_optics"]["names"]
    assert seen["orbit"]["columns"]["x"] == pytest.approx(seen["monitor_optics"]["columns"]["x"])
    assert answer["phase_space"][1]["x"] is None
    assert [loss["particle"] for loss in answer["losses"]] == [1]
    # A particle on the closed orbit comes back to where it was.
    closed = {"phase_space": [answer["closed_orbit"]], "configuration": {"turns": 3, "observe": []}}
    returned = (await client.post(f"/v1/lattices/{base}/propagate", json=closed)).json()
    assert returned["observations"] == dict.fromkeys(seen)
    after = returned["phase_space"][0]
    assert [after[name] for name in ("x", "px", "y", "py")] == pytest.approx(
        [answer["closed_orbit"][name] for name in ("x", "px", "y", "py")], abs=1e-9
    )


async def test_without_a_beam_optics_say_why_and_propagation_does_too(client: httpx.AsyncClient, mls: str) -> None:
    quadrupoles = [m for m in shipped_document("mls").magnets if m.name.startswith("Q")]
    values = {m.supply: (mls, m.supply, "current", 0.0) for m in quadrupoles}
    made = await updated(client, *values.values())
    if made.status_code == 422:  # the limits of the supplies end above 0
        limits = (await client.get(f"/v1/lattices/{mls}/settings", params={"device": "Q*"})).json()["settings"]
        low = {s["device"]: s["low"] for s in limits if s["property"] == "current"}
        made = await updated(client, *((mls, supply, "current", low[supply]) for supply in values))
    lost = made.json()["updated"][0]["lattice"]["id"]
    answer = await client.get(f"/v1/lattices/{lost}/optics")
    assert answer.status_code == 409
    assert "no beam" in answer.json()["detail"]
    found = (await client.post(f"/v1/lattices/{lost}/propagate", json={})).json()
    assert (found["beam"], found["closed_orbit"]) == (False, None)
    assert found["reason"]
