"""The services in the test's process, and a client of them."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import fastapi._compat.v2
import httpx
import pytest
from fastapi import FastAPI
from pydantic import TypeAdapter

from gnomon.ioc.base.config import Config
from gnomon.services import dashboard
from gnomon.services.access_tokens import Tokens
from gnomon.services.service_settings import ServiceLimits, ServiceSettings
from gnomon.services.web_app import make_app

FULL, READ = "f" * 20, "r" * 20
Connect = Callable[..., httpx.AsyncClient]


def application(folder: Path, config: Config | None = None, limits: ServiceLimits | None = None) -> FastAPI:
    # Kernels may have to be compiled in this process first.
    limits = ServiceLimits(calculation_s=280.0) if limits is None else limits
    return make_app(ServiceSettings(Tokens(FULL, READ), folder, config=config or Config(), limits=limits))


def client_of(
    folder: Path, token: str | None = FULL, limits: ServiceLimits | None = None, config: Config | None = None
) -> httpx.AsyncClient:
    app = application(folder, config, limits)
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://services", headers=headers)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(tmp_path) as opened:
        yield opened


@pytest.fixture
async def mls(client: httpx.AsyncClient) -> str:
    made = await client.post("/v1/lattices", json={"machine": "mls"})
    assert made.status_code == 201
    return str(made.json()["id"])


@pytest.fixture(scope="session", autouse=True)
def validators_made_once() -> Iterator[None]:
    """Make the validator of a parameter once: that of each parameter was half of each application, and is the same."""
    made: dict[tuple[object, str, str], TypeAdapter[Any]] = {}

    def adapter(annotation: Any, *, config: Any = None) -> TypeAdapter[Any]:
        key = annotation.__origin__, repr(annotation.__metadata__), repr(config)
        if key not in made:
            made[key] = TypeAdapter(annotation, config=config)
        return made[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fastapi._compat.v2, "TypeAdapter", adapter)
        yield


@pytest.fixture(autouse=True)
def without_pages(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the pages out of each application, of which hundreds are made, but in tests of them."""
    if "dashboard" not in request.path.parts:
        monkeypatch.setattr(dashboard, "is_installed", lambda: False)


@pytest.fixture(autouse=True)
def no_servers(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No server on this computer is known: no test starts a procedure at one that happens to run."""
    folder = tmp_path_factory.mktemp("known")
    for name in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(folder))
