"""Requests over MQTT: the checks of the services, their token, and the server's own procedures; each is done once."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gnomon.clients.errors import NoServerError, RefusedError
from gnomon.services.access_tokens import Tokens
from gnomon.services.forward.mqtt_requests import Answer, Requests
from gnomon.services.forward.topics import Topics

TOPICS = Topics("gnomon", "TWIN:")
FULL, READ = "full" * 8, "read" * 8
SCHEMA = json.loads((Path(__file__).parents[4] / "services" / "schemas" / "request.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


class FakeClient:
    """A client of a server that takes what it is told, and says so."""

    prefix = "TWIN:"

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def call(self, procedure: str, arguments: dict[str, Any]) -> Any:
        self.calls.append((procedure, dict(arguments)))
        if arguments.get("kind") == "nonsense":
            raise RefusedError("there is no kind 'nonsense'")
        if procedure == "dt:fault":
            fault = {"id": 3, "kind": "drop", "text": "fault 3"}
            return fault if arguments["do"] == "add" else [fault]
        raise AssertionError(procedure)


class FakeServer:
    def __init__(self) -> None:
        self.client = FakeClient()
        self.asked = 0
        self.wait = asyncio.Event()
        self.wait.set()
        self.runs = True

    async def ask(self, prefix: str, ask: Callable[[Any], Any]) -> Any:
        assert prefix == "TWIN:"
        self.asked += 1
        await self.wait.wait()
        if not self.runs:
            raise NoServerError("no server of this user runs on this computer")
        return ask(self.client)


def make(server: FakeServer) -> Requests:
    return Requests(server, Tokens(FULL, READ))  # type: ignore[arg-type]


async def ask(requests: Requests, asked: Any, token: str = FULL, topic: str = TOPICS.faults, **more: Any) -> Answer:
    payload = asked if isinstance(asked, bytes) else json.dumps(asked).encode()
    answer = await requests.carry_out(TOPICS, topic, token, payload, **more)
    VALIDATOR.validate(json.loads(answer.model_dump_json(by_alias=True)))
    return answer


async def test_a_fault_is_added_listed_and_cleared_by_the_servers_procedure() -> None:
    server = FakeServer()
    requests = make(server)
    added = await ask(requests, {"do": "add", "kind": "drop", "keys": {"device": "HS*", "count": 2}})
    assert added.ok
    assert added.result["id"] == 3
    assert (await ask(requests, {"do": "list"}, READ)).result["faults"][0]["text"] == "fault 3"
    assert (await ask(requests, {"do": "clear", "number": 3})).ok
    assert [call[1]["do"] for call in server.client.calls] == ["add", "list", "clear"]
    assert server.client.calls[0][1] == {"device": "HS*", "count": "2", "do": "add", "kind": "drop"}


@pytest.mark.parametrize(
    ("asked", "token", "status"),
    [
        ({"do": "list"}, "", 401),
        ({"do": "list"}, "wrong" * 5, 401),
        ({"do": "clear"}, READ, 403),
        ({"do": "add", "kind": "nonsense"}, FULL, 422),
        ({"do": "add", "kind": "drop", "keys": {"do": "clear"}}, FULL, 422),
        ({"do": "explode"}, FULL, 422),
        ({"do": "list", "more": 1}, FULL, 422),
        (b"{", FULL, 400),
        (b"\xff", FULL, 400),
        (b"[" * 100_000, FULL, 400),
        (b" " * (2**20 + 1), FULL, 413),
    ],
)
async def test_refused_requests_say_why_and_reach_no_server(asked: Any, token: str, status: int) -> None:
    server = FakeServer()
    answer = await ask(make(server), asked, token)
    assert not answer.ok
    assert answer.problem is not None
    assert answer.problem.status == status
    assert answer.problem.detail
    reached = [call for call in server.client.calls if call[1].get("kind") != "nonsense"]
    assert reached == []


@pytest.mark.parametrize("asked", [{"settings": []}, {"settings": [{"pv": "A", "value": 1}, {"pv": "A", "value": 2}]}])
async def test_settings_have_the_checks_of_the_services(asked: dict[str, Any]) -> None:
    server = FakeServer()
    answer = await ask(make(server), asked, topic=TOPICS.settings)
    assert answer.problem is not None
    assert answer.problem.status == 422
    assert server.asked == 0


async def test_a_request_that_comes_twice_is_carried_out_once() -> None:
    server = FakeServer()
    server.wait.clear()
    requests = make(server)
    asked = {"do": "add", "kind": "drop"}
    both = [asyncio.ensure_future(ask(requests, asked, identity=("me", b"1"))) for _ in range(2)]
    await asyncio.sleep(0)
    server.wait.set()
    answers = await asyncio.gather(*both)
    answers.append(await ask(requests, asked, identity=("me", b"1")))
    assert len(server.client.calls) == 1
    assert answers[0] == answers[1] == answers[2]
    await ask(requests, asked, identity=("me", b"2"))
    await ask(requests, asked)  # without correlation data, nobody can tell
    assert len(server.client.calls) == 3


async def test_another_request_with_the_same_correlation_data_is_carried_out(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer()
    requests = make(server)
    me = ("me", b"1")
    assert (await ask(requests, {"do": "add", "kind": "drop"}, identity=me)).ok
    assert (await ask(requests, {"do": "add", "kind": "drop", "keys": {"count": 2}}, identity=me)).ok
    assert len(server.client.calls) == 2
    refused = await ask(requests, {"do": "add", "kind": "drop"}, READ, identity=me)
    assert refused.problem is not None
    assert refused.problem.status == 403
    asked = {"do": "add", "kind": "drop", "keys": {"count": 3}}
    with monkeypatch.context() as patch:
        patch.setattr("gnomon.services.forward.mqtt_requests.TOGETHER", -1)
        busy = await ask(requests, asked, identity=me)
        assert busy.problem is not None
        assert busy.problem.status == 503
    assert (await ask(requests, asked, identity=me)).ok


async def test_no_server_is_an_answer_and_not_silence() -> None:
    server = FakeServer()
    server.runs = False
    answer = await ask(make(server), {"do": "list"})
    assert answer.problem is not None
    assert answer.problem.status == 404
