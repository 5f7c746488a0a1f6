"""Jobs over HTTP, with a small program in the place of a procedure: states, events, cancel, limits, restarts."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from gnomon.clients.server_choice import choose_server
from gnomon.ioc.base.running_servers import RunningServer, announced
from gnomon.procedures.documents import Run
from gnomon.procedures.one_at_a_time import only_one
from gnomon.procedures.results import Results
from gnomon.services.access_tokens import Tokens
from gnomon.services.job_events import JobEvents
from gnomon.services.job_runner import JobRunner
from gnomon.services.job_table import JobTable, process_start
from gnomon.services.service_settings import ServiceLimits, ServiceSettings
from gnomon.services.web_app import make_app
from tools.folders import ROOT
from unit.services.conftest import FULL, READ

EXAMPLE = ROOT / "examples" / "scripts" / "orbit_return.py"

#: The place of a procedure: its note says what it does.
PROGRAM = """
import json, os, signal, sys, time
job = json.loads(sys.stdin.readline())
note = job["options"].get("note", "")
def tell(event, **content):
    print(json.dumps({"event": event, **content}), flush=True)
if note == "refuse":
    tell("refused", message="my-script: times: Input should be greater than 0")
    tell("end", state="failed", message="my-script: times: Input should be greater than 0")
    sys.exit(0)
tell("accepted")
tell("phase", phase="measuring", text="")
for row in range(1, 4):
    tell("row", row=row, rows=4, knobs={"HS1": row}, values={"x": 0.5})
if note == "crash":
    os.kill(os.getpid(), signal.SIGKILL)
if note == "garbage":
    print("no JSON", flush=True)
    tell("row", row="x", rows=1)
if note == "hang":
    time.sleep(3600)
if note == "wait":
    sys.stdin.readline()
    tell("phase", phase="putting back", text="")
    tell("stored", result="orm-1", status="stopped", summary=[])
    tell("end", state="stopped", message="interrupted; the machine was put back")
else:
    tell("stored", result="orm-1", status="done", summary=[{"name": "n", "value": "1", "unit": "mm"}])
    tell("end", state="done", message="")
"""


@pytest.fixture(autouse=True)
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two servers that make themselves known on this computer."""
    (tmp_path / "run").mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    told: dict[str, Any] = {"machine": "mls", "role": "twin", "ca_address": "", "pva_address": ""}
    with (
        announced(RunningServer(pid=os.getpid(), prefix="A:", **told)),
        announced(RunningServer(pid=os.getpid(), prefix="B:", **told)),
    ):
        yield


Open = Callable[..., Any]


@pytest.fixture
def services(tmp_path: Path) -> Open:
    """Opens the services, with limits; the folder is kept between two of them."""

    @asynccontextmanager
    async def opened(
        token: str = FULL, scripts: Path | None = None, **limits: Any
    ) -> AsyncIterator[tuple[httpx.AsyncClient, JobRunner]]:
        tokens = Tokens(FULL, READ)
        settings = ServiceSettings(tokens, tmp_path / "results", scripts=scripts, limits=ServiceLimits(**limits))
        runner = JobRunner(settings, (sys.executable, "-IS", "-c", PROGRAM))
        runner.open()
        transport = httpx.ASGITransport(make_app(settings, runner))
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://services", headers=headers) as client:
            try:
                yield client, runner
            finally:
                await runner.close()

    return opened


async def start(client: httpx.AsyncClient, note: str = "", prefix: str = "A:", **headers: str) -> httpx.Response:
    body = {"prefix": prefix, "options": {"note": note}}
    return await client.post("/v1/procedures/orm", json=body, headers=headers)


async def events_of(client: httpx.AsyncClient, job: str, last: int = 0) -> list[tuple[int, str, dict[str, Any]]]:
    """All events of a job, until its end."""
    answer = await client.get(f"/v1/jobs/{job}/events", headers={"Last-Event-ID": str(last)})
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = []
    for block in answer.text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":"))
        if "data" in lines:
            found.append((int(lines["id"]), lines["event"], json.loads(lines["data"])))
    return found


async def wait_for(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


async def test_a_job_is_started_followed_and_its_result_read(services: Open, tmp_path: Path) -> None:
    run = Run(name="orm-1", procedure="orm", status="failed", data={}, parameters={})
    Results(tmp_path / "results").save(run)
    async with services() as (client, _):
        started = await start(client)
        assert started.status_code == 202
        job = started.json()
        assert started.headers["location"] == f"/v1/jobs/{job['id']}"
        assert (job["procedure"], job["prefix"], job["machine"]) == ("orm", "A:", "mls")
        events = await events_of(client, job["id"])
        assert [kind for _, kind, _ in events] == ["phase", "row", "row", "row", "stored", "end"]
        assert [number for number, _, _ in events] == [1, 2, 3, 4, 5, 6]
        assert events[2][2]["knobs"] == {"HS1": 2}
        assert events[-1][2]["state"] == "done"
        assert [kind for _, kind, _ in await events_of(client, job["id"], 4)] == ["stored", "end"]
        ended = (await client.get(f"/v1/jobs/{job['id']}")).json()
        assert (ended["state"], ended["progress"], ended["rows"]) == ("done", 1.0, 3)
        assert ended["summary"] == [{"name": "n", "value": "1", "unit": "mm"}]
        assert (await client.get(f"/v1/jobs/{job['id']}/result")).json()["name"] == "orm-1"
        assert [each["id"] for each in (await client.get("/v1/jobs")).json()["jobs"]] == [job["id"]]


async def test_a_cancelled_job_puts_back_and_keeps_its_run_also_for_a_client_that_has_left(services: Open) -> None:
    async with services() as (client, runner):
        job = (await start(client, "wait")).json()["id"]
        await wait_for(lambda: runner.get(job).rows == 3)
        assert (await client.get(f"/v1/jobs/{job}/result")).status_code == 409
        following = asyncio.create_task(events_of(client, job))
        await asyncio.sleep(0)
        following.cancel()  # the client is lost; the job goes on
        assert runner.get(job).state == "running"
        assert (await client.post(f"/v1/jobs/{job}/cancel")).json()["state"] == "cancelling"
        events = await events_of(client, job)
        assert [kind for _, kind, _ in events][-2:] == ["stored", "end"]
        ended = runner.get(job)
        assert (ended.state, ended.results) == ("stopped", ["orm-1"])
        assert (await client.post(f"/v1/jobs/{job}/cancel")).json()["state"] == "stopped"


@pytest.mark.slow(1)
async def test_one_job_at_a_time_for_each_prefix_and_a_number_for_all(services: Open) -> None:
    async with services(jobs=2) as (client, _):
        first = (await start(client, "wait")).json()["id"]
        busy = await start(client)
        assert (busy.status_code, busy.json()["action"]) == (409, f"wait for it, or POST /v1/jobs/{first}/cancel")
        assert first in busy.json()["detail"]
        assert (await start(client, "wait", "B:")).status_code == 202
    async with services(jobs=1) as (client, _):
        await start(client, "wait")
        assert (await start(client, "", "B:")).status_code == 503


@pytest.mark.slow(1)
async def test_of_two_starts_at_the_same_moment_one_is_refused(services: Open) -> None:
    async with services() as (client, runner):
        answers = await asyncio.gather(start(client, "wait"), start(client, "wait"))
        assert sorted(answer.status_code for answer in answers) == [202, 409]
        assert len(runner.jobs()) == 1
    async with services(jobs=1) as (client, _):
        answers = await asyncio.gather(start(client, "wait"), start(client, "wait", "B:"))
        assert sorted(answer.status_code for answer in answers) == [202, 503]


async def test_a_prefix_that_no_server_has_is_refused_and_names_those_that_there_are(services: Open) -> None:
    async with services() as (client, _):
        refused = await start(client, prefix="C:")
        assert (refused.status_code, refused.json()["field"]) == (422, "prefix")
        assert refused.json()["limit"] == "'A:', 'B:'"
        several = await client.post("/v1/procedures/orm", json={})
        assert several.status_code == 422
        assert "several servers run" in several.json()["detail"]


@pytest.mark.slow(1)
async def test_the_same_key_starts_nothing_again(services: Open) -> None:
    async with services() as (client, _):
        first = await start(client, "wait", **{"Idempotency-Key": "k"})
        again = await start(client, "wait", **{"Idempotency-Key": "k"})
        other = await start(client, "", **{"Idempotency-Key": "k"})
        assert (first.status_code, again.status_code, other.status_code) == (202, 200, 422)
        assert again.json()["id"] == first.json()["id"]


async def test_options_are_checked_before_a_process_starts(services: Open) -> None:
    async with services() as (client, _):
        wrong = await client.post("/v1/procedures/orm", json={"prefix": "A:", "options": {"points": 1}})
        assert (wrong.status_code, wrong.json()["field"]) == (422, "options.points")
        assert (await client.post("/v1/procedures/bump", json={"prefix": "A:"})).status_code == 422
        assert (await client.get("/v1/jobs")).json()["jobs"] == []
    async with services(READ) as (client, _):
        assert (await start(client)).status_code == 403
        assert (await client.post("/v1/jobs/x/cancel")).status_code == 403
        names = [each["name"] for each in (await client.get("/v1/procedures")).json()["procedures"]]
        assert {"orm", "bba", "correct-orbit", "bump", "optics-fit"} <= set(names)


@pytest.mark.parametrize(("note", "state", "word"), [("crash", "failed", "signal 9"), ("garbage", "done", "")])
async def test_a_job_that_crashes_or_talks_nonsense_takes_nothing_along(
    services: Open, note: str, state: str, word: str
) -> None:
    async with services() as (client, _):
        job = (await start(client, note)).json()["id"]
        await events_of(client, job)
        ended = (await client.get(f"/v1/jobs/{job}")).json()
        assert ended["state"] == state
        assert word in ended["message"]
        assert (await client.get("/healthz")).status_code == 200


async def test_a_job_that_hangs_is_killed_after_the_bound_and_says_so(services: Open) -> None:
    async with services(job_s=0.3, stop_s=0.3) as (client, runner):
        job = (await start(client, "hang")).json()["id"]
        await events_of(client, job)
        ended = runner.get(job)
        assert ended.state == "failed"
        assert "may not be put back" in ended.message


@pytest.mark.slow(1)
async def test_a_job_that_takes_too_long_is_stopped(services: Open) -> None:
    async with services(job_s=0.5) as (client, runner):
        job = (await start(client, "wait")).json()["id"]
        await events_of(client, job)
        assert (runner.get(job).state, runner.get(job).message[:13]) == ("stopped", "stopped after")


@pytest.mark.slow(1)
async def test_the_end_of_the_services_ends_jobs_and_they_put_back(services: Open) -> None:
    async with services() as (client, runner):
        job = (await start(client, "wait")).json()["id"]
    assert runner.get(job).state == "stopped"
    async with services() as (client, _):
        known = (await client.get(f"/v1/jobs/{job}")).json()
        assert (known["state"], known["results"]) == ("stopped", ["orm-1"])
        assert [kind for _, kind, _ in await events_of(client, job, 3)] == ["end"]


@pytest.mark.slow(2)
async def test_a_restart_marks_running_jobs_as_lost_and_waits_for_their_processes(
    services: Open, tmp_path: Path
) -> None:
    table = JobTable(tmp_path / "jobs", 10)
    left = await asyncio.create_subprocess_exec(
        sys.executable, "-IS", "-c", "import sys; sys.stdin.read()", stdin=asyncio.subprocess.PIPE
    )
    assert left.stdin is not None
    async with services() as (client, runner):
        job = (await start(client, "wait")).json()["id"]
        (record,) = table.load()
        await runner.cancel(job)
        await events_of(client, job)
    # As the services leave it when they are killed, the process still there.
    table.save(record.model_copy(update={"pid": left.pid, "process_start": process_start(left.pid)}))
    async with services() as (client, runner):
        assert runner.get(job).state == "lost"
        assert (await start(client)).status_code == 409
        left.stdin.close()  # as the end of the services does it
        assert await left.wait() == 0
        await wait_for(lambda: "has ended since" in runner.get(job).message)
        assert (await start(client)).status_code == 202
    # And when the process has ended long before the restart.
    table.save(record.model_copy(update={"pid": left.pid, "process_start": "1"}))
    for _ in range(2):
        async with services() as (client, runner):
            assert runner.get(job).state == "lost"
            started = await start(client)
            assert started.status_code == 202
            await events_of(client, started.json()["id"])


@pytest.mark.slow(5)
async def test_a_user_script_is_an_endpoint_with_a_schema_of_its_own_and_a_broken_one_is_told(
    services: Open, tmp_path: Path
) -> None:
    folder = tmp_path / "scripts"
    folder.mkdir()
    (folder / "my_script.py").write_text(EXAMPLE.read_text())
    (folder / "broken.py").write_text("def plan(:")
    async with services(scripts=folder) as (client, runner):
        listed = (await client.get("/v1/procedures")).json()
        (script,) = [each for each in listed["procedures"] if each["kind"] == "script"]
        assert (script["name"], script["options"]["required"]) == ("my-script", ["steerer"])
        (broken,) = listed["broken"]
        assert "broken.py, line 1: it is not Python" in broken["reason"]
        document = (await client.get("/openapi.json")).json()
        assert "post" in document["paths"]["/v1/procedures/my-script"]
        assert document["components"]["schemas"]["MyScriptOptions"]["properties"]["times"]["maximum"] == 100
        body = {"prefix": "A:", "options": {"steerer": "HS1"}}
        started = await client.post("/v1/procedures/my-script", json=body)
        assert started.status_code == 202
        await events_of(client, started.json()["id"])
        refused = await client.post("/v1/procedures/my-script", json={"prefix": "A:", "options": {"note": "refuse"}})
        assert (refused.status_code, refused.json()["field"]) == (422, "options")
        assert [job.id for job in runner.jobs()] == [started.json()["id"]]
        missing = await client.post("/v1/procedures/broken", json=body)
        assert missing.status_code == 404
        assert "line 1: it is not Python" in missing.json()["detail"]


@pytest.mark.slow(1)
async def test_only_some_jobs_are_remembered(services: Open, tmp_path: Path) -> None:
    async with services(jobs_kept=2) as (client, _):
        jobs = []
        for _ in range(3):
            jobs.append((await start(client)).json()["id"])
            await events_of(client, jobs[-1])
        assert [each["id"] for each in (await client.get("/v1/jobs")).json()["jobs"]] == [jobs[2], jobs[1]]
        assert len(list((tmp_path / "jobs").glob("*.json"))) == 2
        assert (await client.get(f"/v1/jobs/{jobs[0]}")).status_code == 404


async def test_events_are_bounded_and_keep_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gnomon.services.job_events.MAX_EVENTS", 3)
    events = JobEvents()
    for number in range(5):
        events.add("row", {"row": number}, last=number == 4)
    events.add("row", {"row": 6})
    assert [event.id async for event in events.follow(0)] == ["3", "4", "5"]


def test_a_process_is_told_from_a_later_one_with_its_number() -> None:
    own = process_start(os.getpid())
    assert own != ""
    assert process_start(os.getpid()) == own
    assert process_start(2**22 + 1) == ""


MISSING: list[tuple[str, dict[str, Any], str, str]] = [
    ("orm", {"devices": ["HX*"]}, "options.devices", "no device of mls fits 'HX*'"),
    ("bba", {"devices": ["Q1P1K1R"]}, "options.devices", "near names: Q1P1K1RP"),
    ("aperture", {"place": "BPMZ5D1R"}, "options.place", "no monitor of mls fits 'BPMZ5D1R'"),
    ("correct-orbit", {"dead": ["BPM0"]}, "options.dead", "no monitor of mls fits 'BPM0'"),
]


async def test_a_device_that_the_machine_does_not_have_is_refused_before_anything_starts(services: Open) -> None:
    async with services() as (client, runner):
        for procedure, options, field, detail in MISSING:
            answer = await client.post(f"/v1/procedures/{procedure}", json={"prefix": "A:", "options": options})
            assert (answer.status_code, answer.json()["field"]) == (422, field), procedure
            assert detail in answer.json()["detail"]
            assert runner.jobs() == []


@pytest.mark.slow(1)
async def test_a_procedure_that_was_started_elsewhere_keeps_the_prefix(services: Open) -> None:
    async with services() as (client, _):
        with only_one(choose_server(prefix="A:"), "bba"):
            answer = await start(client)
            assert (answer.status_code, answer.json()["value"]) == (409, "A:")
            assert f"bba (process {os.getpid()}, since " in answer.json()["detail"]
            assert (await start(client, prefix="B:")).status_code == 202
        assert (await start(client)).status_code == 202


@pytest.mark.slow(5)
async def test_scripts_run_for_whoever_has_a_token_alone(services: Open, tmp_path: Path) -> None:
    (folder := tmp_path / "scripts").mkdir()
    (folder / "my_script.py").write_text(EXAMPLE.read_text())
    async with services(token="wrong", scripts=folder) as (client, _):
        assert "/v1/procedures/my-script" not in (await client.get("/openapi.json")).json()["paths"]
    async with services(token=READ, scripts=folder) as (client, _):
        assert "/v1/procedures/my-script" in (await client.get("/openapi.json")).json()["paths"]


async def test_limits_are_told_in_our_words(services: Open) -> None:
    async with services() as (client, _):
        for body, detail, limit in (
            ({"options": {"points": 1}}, "options.points: '1' is outside the limit, 2 or more", "2 or more"),
            ({"options": {"readings": "many"}}, "options.readings: 'many' is not a whole number", "a whole number"),
            ({"options": {"devices": []}}, "options.devices: its length is outside the limit", "1 or more entries"),
            ({"option": {}}, "option: it is not known here", None),
        ):
            told = (await client.post("/v1/procedures/orm", json=body)).json()
            assert told["detail"].startswith(detail), told
            assert told.get("limit") == limit
            assert "openapi.json" in told["action"]
