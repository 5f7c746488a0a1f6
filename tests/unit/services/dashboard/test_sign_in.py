"""Signing in: the token once, then a cookie of a role; nothing for other sites."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from gnomon.services.access_tokens import Tokens
from gnomon.services.dashboard.sign_in import ROLE_HEADER, VALID_S, SignIn
from gnomon.services.service_settings import ServiceSettings
from gnomon.services.web_app import make_app
from unit.services.conftest import FULL, READ

PAGE = {"Accept": "text/html"}


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    app = make_app(ServiceSettings(Tokens(FULL, READ), tmp_path))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://services") as opened:
        yield opened


async def sign_in(browser: httpx.AsyncClient, token: str) -> httpx.Response:
    return await browser.post("/dashboard/login", data={"token": token})


@pytest.mark.parametrize(("token", "role"), [(FULL, "full"), (READ, "read")])
async def test_a_token_opens_the_pages_in_its_role(browser: httpx.AsyncClient, token: str, role: str) -> None:
    answer = await sign_in(browser, token)
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/dashboard"} <= set(cookie.split("; "))
    assert token not in cookie
    layout = await browser.get("/dashboard/_dash-layout")
    assert layout.json()["props"]["className"] == f"role-{role}"


async def test_a_role_that_a_client_gives_itself_is_not_believed(browser: httpx.AsyncClient) -> None:
    await sign_in(browser, READ)
    layout = await browser.get("/dashboard/_dash-layout", headers={ROLE_HEADER: "full"})
    assert layout.json()["props"]["className"] == "role-read"


async def test_without_a_cookie_there_is_only_the_form(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/dashboard/orbit", headers=PAGE)
    assert (page.status_code, page.headers["location"]) == (303, "/dashboard/login")
    for path in ("/dashboard/live?page=orbit", "/dashboard/_dash-layout", "/dashboard/_dash-dependencies"):
        assert (await browser.get(path)).status_code == 401
    assert (await browser.post("/dashboard/_dash-update-component", json={})).status_code == 401


async def test_a_wrong_token_is_refused_and_not_shown_again(browser: httpx.AsyncClient) -> None:
    answer = await sign_in(browser, "<wrong>")
    assert answer.status_code == 401
    assert "This token is not valid" in answer.text
    assert "wrong" not in answer.text
    assert "set-cookie" not in answer.headers


async def test_requests_of_another_site_are_refused(browser: httpx.AsyncClient) -> None:
    await sign_in(browser, FULL)
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "http://elsewhere"}):
        for path in ("/dashboard/_dash-update-component", "/dashboard/login", "/dashboard/logout"):
            assert (await browser.post(path, json={}, headers=headers)).status_code == 403, headers


async def test_signing_out_ends_it(browser: httpx.AsyncClient) -> None:
    await sign_in(browser, FULL)
    await browser.post("/dashboard/logout")
    assert (await browser.get("/dashboard/_dash-layout")).status_code == 401


async def test_pages_load_nothing_from_other_hosts(browser: httpx.AsyncClient) -> None:
    await sign_in(browser, FULL)
    page = await browser.get("/dashboard/", headers=PAGE)
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert re.findall(r"(?:src|href)=[\"'](?:https?:)?//", page.text) == []


def test_a_cookie_ends_and_cannot_be_changed() -> None:
    signing = SignIn(Tokens(FULL, READ))
    made = signing.make(READ, now=1000.0)
    assert made is not None

    def role(value: str, now: float = 1001.0) -> str | None:
        return signing.role(f"other=1; {signing.cookie}={value}", now)

    assert role(made) == "read"
    assert role(made, 1000.0 + VALID_S) is None
    assert role(made.replace("read", "full")) is None
    assert role(made[:-1] + ("0" if made[-1] != "0" else "1")) is None
    assert role(made.replace(".", ".9", 1)) is None
    assert role("") is None
    assert SignIn(Tokens("g" * 20, READ[::-1] + "x")).role(f"{signing.cookie}={made}", 1001.0) is None
