"""The journal as it grows: who set what, with what outcome; a command is taken back after a question."""

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from dash import Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from gnomon.clients.epics_client import EpicsClient
from gnomon.clients.journal_choice import ServedJournal
from gnomon.clients.recorded_commands import WayBack, commands_to_undo, page_document, plan_undo, read_page
from gnomon.db import sources
from gnomon.ioc.base.machines import recorded_ring
from gnomon.lattice import GnomonError
from gnomon.recorder import Filter, Reader, ReviewError
from gnomon.recorder.remote import PROCEDURE
from gnomon.services.dashboard.page_clicks import click_button, click_store, clicked
from gnomon.services.dashboard.page_parts import PREFIX_STORE, DashboardParts, Page, require_full, search_field
from gnomon.services.dashboard.page_twin import problem_line, with_journal
from gnomon.services.recording_routes import take_back

#: Commands that are shown at first, that more are shown by, and at most.
COUNT, MAX_COUNT = 40, 400
#: Changes of one command that are shown, and settings of an undo.
MAX_CHANGES, MAX_SETTINGS = 3, 40
#: Count of the script, which changes with each new command.
TICK = "journal-tick"
#: Store of clicks: the number of a command to undo, or the answer to the question.
CLICK, YES, NO = "journal-click", "yes", "no"


def layout() -> Component:
    """Make the page: the filter, the question before an undo, and the commands, the newest first."""
    return html.Div(
        [
            dcc.Store(id=TICK),
            dcc.Store(id="journal-asked"),
            click_store(CLICK),
            html.Div(
                [
                    search_field("Device or PV", "journal-pv", "pattern, as HS4*", 0.4),
                    search_field("Client", "journal-client", "user or host", 0.4),
                ],
                className="page-tools",
            ),
            html.Div(id="journal-told", role="status"),
            html.Dialog(id="journal-question", className="question", open=False),
            html.Div(id="journal-list", className="card scroll"),
            html.Button("Show older commands", id="journal-more", n_clicks=0, className="quiet", hidden=True),
        ]
    )  # fmt: skip


def callbacks(app: Dash, parts: DashboardParts) -> None:
    """Register the callbacks."""
    find_ring = partial(recorded_ring, parts.settings.config)
    limit_s = parts.settings.limits.asking_s / 2

    @app.callback(
        Output("journal-list", "children"),
        Output("journal-more", "hidden"),
        Input(TICK, "data"),
        Input(PREFIX_STORE, "data"),
        Input("journal-pv", "value"),
        Input("journal-client", "value"),
        Input("journal-more", "n_clicks"),
    )
    def fill(_: int | None, prefix: str | None, pv: str | None, client: str | None, more: int) -> Any:
        """Fill the list with the newest commands."""
        if prefix is None:
            return no_update, no_update
        which = Filter(pv=pv or None, client=client or None)
        count = min(MAX_COUNT, COUNT * (1 + (more or 0)))

        def ask(_: EpicsClient, served: ServedJournal) -> Mapping[str, Any]:
            with Reader(served.path, limit_s) as reader:
                return page_document(reader, read_page(reader, which, count))

        try:
            document = with_journal(parts, prefix, ask)
        except GnomonError as error:
            return problem_line(str(error)), True
        return command_table(document), document["following"] is None or count == MAX_COUNT

    def planned(prefix: str | None, number: int) -> WayBack:
        def ask(_: EpicsClient, served: ServedJournal) -> WayBack:
            with Reader(served.path) as reader:
                entries = commands_to_undo(reader, [number], None)
            return plan_undo(served.path, entries, find_ring, how_to_force="`gnomon log undo --force`")

        return with_journal(parts, prefix, ask)

    @app.callback(
        Output("journal-question", "children"),
        Output("journal-question", "open"),
        Output("journal-asked", "data"),
        Output("journal-told", "children"),
        Input(CLICK, "data"),
        State("journal-asked", "data"),
        State(PREFIX_STORE, "data"),
        prevent_initial_call=True,
    )
    def undo(click: Any, asked: Any, prefix: str | None) -> Any:
        """Ask before an undo, and carry it out when it is confirmed."""
        answer = clicked(click)
        try:
            require_full()
            if answer.isdecimal():
                way = planned(prefix, int(answer))
                kept = {"prefix": prefix, "number": int(answer), "way": way.to_json()}
                return question(way), True, kept, ""
            if answer != YES or not asked:
                return "", False, None, ""
            return "", False, None, html.P(_carry_out(asked), className="good")
        except GnomonError as error:
            return "", False, None, problem_line(str(error))

    def _carry_out(asked: Mapping[str, Any]) -> str:
        """Undo what was asked for, if it still is what was shown. Raises ReviewError if not, and ClientError."""
        way = planned(asked["prefix"], int(asked["number"]))
        if _plain(way) != asked["way"]:
            raise ReviewError("settings were changed while you were asked; nothing was set. Look, and undo again")
        made = with_journal(parts, asked["prefix"], lambda client, _: take_back(client, way, dry_run=False))
        if not made.sent:
            return f"{way.note}: nothing to do: all settings already have these values"
        return f"{way.note}: done by command {made.sequence}; lattice {made.lattice}"


def _plain(way: WayBack) -> Any:
    """Return a way back as it comes back from the browser."""
    return json.loads(json.dumps(way.to_json()))


def question(way: WayBack) -> list[Component]:
    """Show the settings that an undo makes, and ask."""
    shown = way.assignments[:MAX_SETTINGS]
    rows = [
        html.Tr(
            [
                html.Td(each.device),
                html.Td(each.setting),
                html.Td("" if each.now is None else f"{each.now:.9g}", className="n"),
                html.Td(f"{each.value:.9g}", className="n"),
                html.Td(each.unit),
            ]
        )
        for each in shown
    ]
    heads = (("Device", ""), ("Property", ""), ("now", "n"), ("will be", "n"), ("", ""))
    more = len(way.assignments) - len(shown)
    numbers = ", ".join(str(entry.sequence) for entry in way.entries)
    if not way.assignments:
        return [
            html.H2(f"Undo command {numbers}?"),
            html.P("Nothing to do: all settings already have the values from before it."),
            html.Div([_answer("Close", yes=False)], className="answers"),
        ]
    return [
        html.H2(f"Undo command {numbers} at {way.run.prefix!r}?"),
        html.Div(
            html.Table(
                [html.Thead(html.Tr([html.Th(head, className=kind) for head, kind in heads])), html.Tbody(rows)],
                className="list",
            ),
            className="scroll",
        ),
        html.P(f"and {more} more settings" if more > 0 else "", className="note"),
        html.Div([_answer("Keep as it is", yes=False), _answer("Undo", yes=True)], className="answers"),
    ]


def _answer(text: str, *, yes: bool) -> Component:
    return click_button(text, CLICK, YES if yes else NO, "main" if yes else "")


def command_table(document: Mapping[str, Any]) -> Component:
    """Make the table of commands, the newest first; texts of clients stay texts."""
    commands = list(document["commands"])[::-1]
    if not commands:
        return html.P("No command fits." if document["last"] else "No command yet.", className="note")
    heads = (("#", "n"), ("Time (UTC)", ""), ("By", ""), ("Command", ""), ("Outcome", ""), ("", "changes"))
    head = html.Thead(html.Tr([html.Th(text, className=kind) for text, kind in heads]))
    table = html.Table([head, html.Tbody(list(map(_row, commands)))], className="list journal")
    following = document["following"]
    return html.Div([table, html.P("" if following is None else "Older commands are not shown.", className="note")])


def _row(command: Mapping[str, Any]) -> Component:
    outcomes = command["outcomes"]
    reason = outcomes[-1]["reason"] if outcomes else ""
    outcome = command["outcome"] or "not known"
    changed = any(effect["done"] is not None for each in outcomes for effect in each["effects"])
    undo = click_button("Undo", CLICK, str(command["sequence"]))
    return html.Tr(
        [
            html.Td(str(command["sequence"]), className="n"),
            html.Td(str(command["time"])[:23].replace("T", " "), className="mono"),
            html.Td(f"{command['user']}@{command['host']}", title=f"over {command['protocol']}"),
            html.Td(_what(command), className="text"),
            html.Td([outcome, html.Div(reason, className="note text")] if reason else outcome,
                    className=f"outcome-{outcome}"),
            html.Td(undo if changed else "", className="changes"),
        ]
    )  # fmt: skip


def _what(command: Mapping[str, Any]) -> list[Any]:
    changes = command["changes"]
    lines: list[Any] = [html.Div(command["note"], className="note")] if command["note"] else []
    for change in changes[:MAX_CHANGES]:
        by_name = change["pv"] and not change["pv"].endswith(PROCEDURE)
        name = change["pv"] if by_name else f"{change['device']} {change['property']}"
        numbers = f"{_number(change['old'])} → {_number(change['new'])} {change['unit']}"
        lines.append(html.Div([html.Span(name, className="mono"), " ", numbers]))
    if len(changes) > MAX_CHANGES:
        lines.append(html.Div(f"and {len(changes) - MAX_CHANGES} more", className="note"))
    return lines


def _number(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.7g}" if isinstance(value, int | float) else str(value)


PAGE = Page(
    path="journal", title="Journal", layout=layout, sources=(sources.JOURNAL_LAST,), callbacks=callbacks,
)  # fmt: skip
