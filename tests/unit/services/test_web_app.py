"""Tokens, limits and errors of the services, and their own description of themselves."""

import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from patience import PATIENCE_S
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import Message, Receive, Scope, Send

from gnomon.procedures.documents import Run
from gnomon.procedures.results import Results
from gnomon.services.access_tokens import TokenError, find_tokens
from gnomon.services.answer_guard import AnswerGuard
from gnomon.services.calculations import Calculations
from gnomon.services.problems import ProblemError
from gnomon.services.service_settings import ServiceLimits
from unit.services.conftest import FULL, READ, application, client_of

UPDATE = {"updates": [{"lattice": "x", "device": "x", "property": "x", "value": 1}]}


async def test_without_a_valid_token_nothing_is_told(tmp_path: Path) -> None:
    async with client_of(tmp_path, None) as client:
        for token in (None, "wrong", "f" * 19, FULL + "f"):
            headers = {} if token is None else {"Authorization": f"Bearer {token}"}
            for path in ("/v1/lattices", "/v1/machines", "/v1/results", "/v1/results/x", "/v1/lattices/x/optics"):
                answer = await client.get(path, headers=headers)
                assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), (token, path)
                assert answer.headers["content-type"] == "application/problem+json"
        assert (await client.get("/healthz")).json()["status"] == "ok"


#: Requests that change nothing although they have a body.
COMPUTING = {("POST", "/v1/lattices/{lattice}/propagate")}
#: Routes without a token.
OPEN = {"/healthz", "/readyz"}


def routes() -> list[tuple[str, str]]:
    described = application(Path("/nonexistent")).openapi()["paths"].items()
    return [(method.upper(), path) for path, methods in described for method in methods]


async def test_the_read_only_token_may_do_every_get_and_nothing_that_changes(tmp_path: Path) -> None:
    listed = routes()
    assert len(listed) > 30
    for token, allowed in ((READ, True), (None, False)):
        async with client_of(tmp_path, token) as client:
            for method, path in listed:
                place = re.sub(r"{\w+}", "1", path)
                answer = await client.request(method, place, params={"server": "999999999", "name": "x"})
                if path in OPEN:
                    assert answer.status_code == 200
                elif not allowed:
                    assert answer.status_code == 401, (method, path)
                else:
                    changes = method != "GET" and (method, path) not in COMPUTING
                    assert (answer.status_code == 403) == changes, (method, path, answer.text)


async def test_the_read_only_token_reads_and_makes_nothing(tmp_path: Path) -> None:
    async with client_of(tmp_path, READ) as client:
        assert (await client.get("/v1/machines")).json() == {"machines": ["bessy2", "mls"]}
        assert (await client.post("/v1/lattices", json={"machine": "mls"})).status_code == 403
        assert (await client.post("/v1/updates", json=UPDATE)).status_code == 403
        assert (await client.post("/v1/lattices/x/propagate", json={})).status_code == 404


@pytest.mark.parametrize("says_length", [True, False])
async def test_a_request_that_is_too_large_is_refused(tmp_path: Path, says_length: bool) -> None:
    async with client_of(tmp_path, limits=ServiceLimits(body_bytes=1000)) as client:

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(30):
                yield b" " * 100

        answer = await client.post("/v1/lattices", content=b" " * 1001 if says_length else pieces())
        assert (answer.status_code, answer.json()["limit"]) == (413, "1000")


async def test_a_request_that_does_not_arrive_is_not_waited_for(tmp_path: Path) -> None:
    async with client_of(tmp_path, limits=ServiceLimits(body_s=0.01)) as client:

        async def pieces() -> AsyncIterator[bytes]:
            yield b"{"
            await asyncio.Event().wait()

        answer = await client.post("/v1/lattices", content=pieces())
        assert (answer.status_code, answer.json()["limit"]) == (408, "0.01")


async def test_a_client_that_takes_no_answer_is_not_waited_for() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        await asyncio.Event().wait()

    async with asyncio.timeout(PATIENCE_S):
        await AnswerGuard(app, 0.01)({"type": "http", "method": "GET", "path": "/"}, receive, send)


@pytest.mark.parametrize(
    ("body", "status"), [("{", 400), ('{"machine": 1}', 422), ('{"machine": "mls", "x": 1}', 422), ("[" * 9999, 400)]
)
async def test_a_request_that_cannot_be_read_is_answered_with_the_reason(
    client: httpx.AsyncClient, body: str, status: int
) -> None:
    answer = await client.post("/v1/lattices", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


async def test_numbers_that_are_not_finite_are_refused(client: httpx.AsyncClient, mls: str) -> None:
    body = json.dumps(UPDATE).replace('"value": 1', '"value": NaN')
    answer = await client.post("/v1/updates", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["field"]) == (422, "updates[0].value")


async def test_the_least_recently_used_lattice_goes_and_its_id_says_so(tmp_path: Path) -> None:
    async with client_of(tmp_path, limits=ServiceLimits(lattices=1, calculation_s=280.0)) as client:
        first = (await client.post("/v1/lattices", json={"machine": "mls"})).json()["id"]
        await client.post("/v1/lattices", json={"machine": "bessy2"})
        gone = await client.get(f"/v1/lattices/{first}")
        assert (gone.status_code, gone.json()["limit"]) == (410, "1 lattices of 16 machines")
        assert (await client.post("/v1/lattices", json={"machine": "mls"})).json()["id"] == first
        assert (await client.get(f"/v1/lattices/{first}")).status_code == 200


async def test_a_ring_too_many_takes_the_oldest_ring_with_it(tmp_path: Path) -> None:
    async with client_of(tmp_path, limits=ServiceLimits(rings=1, calculation_s=280.0)) as client:
        await client.post("/v1/lattices", json={"machine": "mls"})
        await client.post("/v1/lattices", json={"machine": "bessy2"})
        assert [each["machine"] for each in (await client.get("/v1/lattices")).json()["lattices"]] == ["bessy2"]


async def test_a_calculation_that_hangs_is_abandoned_and_then_counted() -> None:
    calculations = Calculations(ServiceLimits(calculation_s=0.05, hung=1))
    ended = threading.Event()
    with pytest.raises(ProblemError, match="not done after") as late:
        await calculations.run("a test", ended.wait)
    with pytest.raises(ProblemError, match="nothing is computed") as busy:
        await calculations.run("a test", int)
    assert (late.value.problem.status, busy.value.problem.status) == (504, 503)
    ended.set()
    while calculations.stuck:
        await asyncio.sleep(0.001)
    assert await calculations.run("a test", int) == 0


async def test_stored_runs_are_listed_and_read_and_no_other_files(client: httpx.AsyncClient, tmp_path: Path) -> None:
    assert (await client.get("/v1/results")).json() == {"results": [], "total": 0}
    folder = Results(tmp_path)
    for number in (1, 2):
        failed = {"status": "failed", "reason": "a test", "data": {}, "parameters": {}}
        folder.save(Run(name=f"orm-20261127T10000{number}.000", procedure="orm", **failed))
    listed = (await client.get("/v1/results", params={"count": 1})).json()
    assert ([each["name"] for each in listed["results"]], listed["total"]) == (["orm-20261127T100002.000"], 2)
    read = (await client.get("/v1/results/orm-20261127T100001.000")).json()
    assert (read["procedure"], read["status"]) == ("orm", "failed")
    for other in ("orm", "..%2Fx", str(tmp_path / "orm-20261127T100001.000.h5").replace("/", "%2F")):
        assert (await client.get(f"/v1/results/{other}")).status_code == 404


async def test_an_error_of_gnomon_itself_is_a_problem_too_and_the_log_has_its_traceback(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Results) -> list[str]:
        raise RuntimeError("broken")

    monkeypatch.setattr(Results, "names", fail)
    answer = await client.get("/v1/results")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "broken" not in answer.text
    (logged,) = [record for record in caplog.records if record.name == "gnomon.services"]
    assert logged.getMessage() == "GET /v1/results"
    assert logged.exc_info is not None
    assert isinstance(logged.exc_info[1], RuntimeError)


def test_tokens_come_from_file_environment_or_are_made(tmp_path: Path) -> None:
    kept, file = tmp_path / "a" / "kept", tmp_path / "file"
    made = find_tokens(kept, environment={})
    assert kept.stat().st_mode & 0o777 == 0o600
    assert find_tokens(kept, environment={}).full == made.full
    assert made.full not in repr(made)
    assert find_tokens(kept, environment={"GNOMON_SERVICES_TOKEN": FULL}).full == FULL
    file.write_text(READ + "\n")
    file.chmod(0o644)
    with pytest.raises(TokenError, match="chmod 600"):
        find_tokens(kept, file, environment={})
    file.chmod(0o600)
    assert find_tokens(kept, None, file, {}).role(f"bearer {READ}") == "read"
    with pytest.raises(TokenError, match="the same"):
        find_tokens(kept, file, file, {})
    with pytest.raises(TokenError, match="3 characters"):
        find_tokens(kept, environment={"GNOMON_SERVICES_TOKEN": "abc"})


async def test_figures_of_the_services_are_read_by_the_client_of_prometheus_with_the_read_only_token(
    tmp_path: Path,
) -> None:
    async with client_of(tmp_path, None) as client:
        assert (await client.get("/metrics")).status_code == 401
    async with client_of(tmp_path, READ) as client:
        answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    values = {s.name: s.value for family in text_string_to_metric_families(answer.text) for s in family.samples}
    assert values["gnomon_services_ready"] == 1
    assert values["gnomon_services_streams"] == values["gnomon_services_lattices"] == 0
