"""Running twins as callbacks of pages reach them: asked by prefix, with errors as a line for people."""

from collections.abc import Callable
from typing import TypeVar

from dash import html
from dash.development.base_component import Component

from gnomon.clients.epics_client import EpicsClient
from gnomon.clients.errors import NoServerError
from gnomon.clients.journal_choice import ServedJournal, read_served_journal
from gnomon.services.dashboard.page_parts import DashboardParts

__all__ = ["ask_twin", "problem_line", "with_journal"]

T = TypeVar("T")


def ask_twin(parts: DashboardParts, prefix: str | None, ask: Callable[[EpicsClient], T]) -> T:
    """Ask the twin of a prefix. Raises ClientError: no such twin, no answer, refused."""
    target = None if prefix is None else parts.hub.targets().get(prefix)
    if target is None:
        raise NoServerError(f"no server with the prefix {prefix!r} runs: choose another one above")
    with EpicsClient(target) as client:
        return ask(client)


def with_journal(parts: DashboardParts, prefix: str | None, ask: Callable[[EpicsClient, ServedJournal], T]) -> T:
    """Ask the twin of a prefix, with the journal that it writes. Raises ReviewError if that is not here, too."""
    return ask_twin(parts, prefix, lambda client: ask(client, read_served_journal(client.target, client.call)))


def problem_line(text: str) -> Component:
    """Make the line that says what went wrong."""
    return html.P(text, className="problem text", role="alert")
