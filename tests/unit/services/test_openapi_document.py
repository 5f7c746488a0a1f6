"""Answers are those of the OpenAPI document, whatever is asked, with either token."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance
from starlette.types import ASGIApp, Receive, Scope, Send

from unit.services.conftest import FULL, READ, application
from unit.services.served_twin import served_twin

#: A stream of events has no end: it is asked for a server that is not there.
ENDLESS = {"/v1/recordings/events"}


class Switch:
    """The application that is asked: when tests are collected one without a twin, for its document alone."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


SWITCH = Switch(application(Path("/nonexistent")))
api = schemathesis.openapi.from_asgi("/openapi.json", SWITCH)
#: What the read-only token may do, with a few random requests to each; `test_web_app` walks through all routes.
QUICKLY = schemathesis.Config.from_dict({"phases": {"coverage": {"enabled": False}}})
reading = schemathesis.openapi.from_asgi("/openapi.json", SWITCH, config=QUICKLY).include(method="GET")


@pytest.fixture(scope="module")
def lattice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a twin to the application, and make a lattice."""
    folder = tmp_path_factory.mktemp("services")
    with served_twin(folder) as twin:
        SWITCH.app = application(folder, twin.config)

        async def make() -> str:
            headers = {"Authorization": f"Bearer {FULL}"}
            async with httpx.AsyncClient(transport=httpx.ASGITransport(SWITCH), base_url="http://services") as client:
                made = await client.post("/v1/lattices", json={"machine": "mls"}, headers=headers)
                return str(made.json()["id"])

        yield asyncio.run(make())


def check(case: schemathesis.Case, lattice: str, token: str) -> None:
    valid = case.meta is None or case.meta.generation.mode.is_positive
    if valid and case.method == "GET" and "lattice" in case.path_parameters:
        case.path_parameters["lattice"] = lattice
    if case.path in ENDLESS:
        case.query["server"] = "999999999"
    # A schema cannot say which devices a lattice has, and within which limits: such requests are refused with 422.
    case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, excluded_checks=[positive_data_acceptance])


@pytest.mark.slow  # a quarter of a minute
@api.parametrize()
@settings(max_examples=2, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_answers_are_those_of_the_document(case: schemathesis.Case, lattice: str) -> None:
    check(case, lattice, FULL)


@reading.parametrize()
@settings(max_examples=2, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_answers_to_the_read_only_token_are_those_of_the_document(case: schemathesis.Case, lattice: str) -> None:
    check(case, lattice, READ)
