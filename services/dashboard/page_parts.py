"""A page of the dashboard, and what pages get and share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dash import Dash, dcc, html
from dash.development.base_component import Component
from flask import request

from gnomon.db.sources import Source
from gnomon.lattice import GnomonError
from gnomon.services.access_tokens import Role
from gnomon.services.dashboard.job_desk import JobDesk
from gnomon.services.dashboard.live_hub import LiveHub
from gnomon.services.dashboard.sign_in import ROLE_HEADER
from gnomon.services.service_settings import ServiceSettings

__all__ = [
    "DashboardParts",
    "NotAllowedError",
    "Page",
    "attributes",
    "live_value",
    "require_full",
    "role",
    "search_field",
]

#: Id of the `dcc.Store` that holds the chosen prefix: an input of callbacks of any page.
PREFIX_STORE = "prefix"


class NotAllowedError(GnomonError):
    """Somebody who may only read has asked for a change."""


@dataclass(frozen=True, slots=True)
class DashboardParts:
    """Parts of the services that callbacks of pages work with.

    A running twin is reached by `EpicsClient(parts.hub.targets()[prefix])`.
    """

    settings: ServiceSettings
    hub: LiveHub
    desk: JobDesk


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its address under /dashboard/, the name in the navigation, and what it shows.

    `layout` makes its components when somebody opens it. The live values of `sources` (the first PV of each) and of
    `every` (all PVs of each, or those of `properties` of devices) are pushed to the page's script, if it has one.
    `callbacks` registers Dash callbacks.
    """

    path: str
    title: str
    layout: Callable[[], Component]
    sources: tuple[Source, ...] = ()
    every: tuple[Source, ...] = ()
    properties: tuple[str, ...] = ()
    callbacks: Callable[[Dash, DashboardParts], None] = field(default=lambda app, parts: None)


def attributes(**named: str) -> Any:
    """Attributes of a component whose names have a hyphen: `html.Div(**attributes(data_page="orbit"))`."""
    return {name.replace("_", "-"): value for name, value in named.items()}


def live_value(key: str, form: str = "") -> Component:
    """Make the place of a live value, which no script of the page has to fill in.

    `form` is a number of digits, "duration" (of seconds), or "list" (of texts); without one, a value is shown as it is.
    """
    return html.Span("–", className="value", **attributes(data_live=key, data_form=form))


def search_field(label: str, name: str, placeholder: str, wait_s: float) -> Component:
    """Make a field for words to search by, with the id `name`; its callbacks hear of it `wait_s` after the last key."""
    words = dcc.Input(id=name, type="search", debounce=wait_s, placeholder=placeholder, maxLength=200)
    return html.Label([label, words], className="choice")


def role() -> Role:
    """Return the role of whoever has sent the request that a callback or layout is made for."""
    return "full" if request.headers.get(ROLE_HEADER) == "full" else "read"


def require_full() -> None:
    """Raise NotAllowedError unless whoever has sent the request may change something: first line of such callbacks."""
    if role() != "full":
        raise NotAllowedError("the read-only token cannot change anything: sign in with the full token")
