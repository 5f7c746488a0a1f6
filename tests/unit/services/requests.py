"""Random requests to the services, whose answers are compared with the OpenAPI document."""

import httpx
import schemathesis
from schemathesis.specs.openapi.checks import positive_data_acceptance
from starlette.types import ASGIApp

from unit.services.conftest import FULL

#: A stream of events has no end: it is asked for a server that is not there.
ENDLESS = {"/v1/recordings/events"}


async def make_lattice(app: ASGIApp) -> str:
    """Make a lattice, and return its id."""
    headers = {"Authorization": f"Bearer {FULL}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://services") as client:
        made = await client.post("/v1/lattices", json={"machine": "mls"}, headers=headers)
        return str(made.json()["id"])


def check(case: schemathesis.Case, lattice: str, token: str) -> None:
    """Ask, and compare the answer with the document."""
    valid = case.meta is None or case.meta.generation.mode.is_positive
    if valid and case.method == "GET" and "lattice" in case.path_parameters:
        case.path_parameters["lattice"] = lattice
    if case.path in ENDLESS:
        case.query["server"] = "999999999"
    # A schema cannot say which devices a lattice has, and within which limits: such requests are refused with 422.
    case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, excluded_checks=[positive_data_acceptance])
