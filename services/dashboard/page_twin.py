"""Running twins as callbacks of pages reach them: asked by prefix, with errors as a line for people."""

from collections.abc import Callable
from typing import TypeVar

from dash import html
from dash.development.base_component import Component

from gnomon.clients.epics_client import EpicsClient
from gnomon.clients.errors import NoServerError
from gnomon.clients.journal_choice import ServedJournal, read_served_journal
from gnomon.ioc.base.config import Config
from gnomon.ioc.base.machines import recorded_machine
from gnomon.lattice import LatticeError, Ring
from gnomon.recorder import Run
from gnomon.services.dashboard.page_parts import DashboardParts

__all__ = ["ask_twin", "problem_line", "ring_finder", "with_journal"]

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


def ring_finder(config: Config) -> Callable[[Run], Ring | None]:
    """Make the function that builds the ring of a recorded run; it returns None where the document is gone."""

    def find(run: Run) -> Ring | None:
        try:
            return recorded_machine(config, run.machine, run.digest).ring
        except LatticeError:
            return None

    return find


def problem_line(text: str) -> Component:
    """Make the line that says what went wrong."""
    return html.P(text, className="problem text", role="alert")
