"""Answers are those of the OpenAPI document, whatever is asked; `test_openapi_document` runs these in their session.

Schemathesis thinks of all requests when tests are collected, for 20 s in each process that collects them.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from starlette.types import ASGIApp, Receive, Scope, Send

from unit.services.conftest import FULL, application
from unit.services.requests import check, make_lattice
from unit.services.served_twin import served_twin


class Switch:
    """The application that is asked: when tests are collected one without a twin, for its document alone."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


SWITCH = Switch(application(Path("/nonexistent")))
api = schemathesis.openapi.from_asgi("/openapi.json", SWITCH)


@pytest.fixture(scope="module")
def lattice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a twin to the application, and make a lattice."""
    folder = tmp_path_factory.mktemp("services")
    with served_twin(folder) as twin:
        SWITCH.app = application(folder, twin.config)
        yield asyncio.run(make_lattice(SWITCH))


@api.parametrize()
@settings(max_examples=2, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_answers_are_those_of_the_document(case: schemathesis.Case, lattice: str) -> None:
    check(case, lattice, FULL)
