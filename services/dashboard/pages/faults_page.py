"""Injected faults of a twin: what acts or waits; one or all are cleared."""

from collections.abc import Mapping, Sequence
from typing import Any

from dash import Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from gnomon.clients.running_faults import clear_faults, list_faults
from gnomon.db import sources
from gnomon.lattice import GnomonError
from gnomon.services.dashboard.page_clicks import click_button, click_store, clicked
from gnomon.services.dashboard.page_parts import PREFIX_STORE, DashboardParts, Page, require_full
from gnomon.services.dashboard.page_twin import ask_twin, problem_line

#: Count of the script, which changes with the faults.
TICK = "faults-tick"
#: Store of clicks: the number of a fault to clear, or all.
CLICK, ALL_FAULTS = "faults-click", "all"


def layout() -> Component:
    """Make the page."""
    return html.Div(
        [
            dcc.Store(id=TICK),
            dcc.Store(id="faults-cleared"),
            click_store(CLICK),
            html.Div(
                [
                    html.Div(id="faults-all", className="changes"),
                    html.Div(id="faults-told", role="status"),
                ],
                className="page-tools",
            ),
            html.Div(id="faults-list", className="card scroll"),
        ]
    )


def callbacks(app: Dash, parts: DashboardParts) -> None:
    """Register the callbacks."""

    @app.callback(
        Output("faults-list", "children"),
        Output("faults-all", "children"),
        Input(TICK, "data"),
        Input("faults-cleared", "data"),
        Input(PREFIX_STORE, "data"),
    )
    def fill(_: int | None, __: Any, prefix: str | None) -> Any:
        """Fill the list with the faults that act or wait."""
        if prefix is None:
            return no_update, no_update
        try:
            faults = ask_twin(parts, prefix, lambda client: list_faults(client.call))
        except GnomonError as error:
            return problem_line(str(error)), ""
        return fault_table(faults), click_button("Clear all", CLICK, ALL_FAULTS) if faults else ""

    @app.callback(
        Output("faults-told", "children"),
        Output("faults-cleared", "data"),
        Input(CLICK, "data"),
        State(PREFIX_STORE, "data"),
        prevent_initial_call=True,
    )
    def clear(click: Any, prefix: str | None) -> Any:
        """Clear one fault, or all."""
        which = clicked(click)
        number = None if which == ALL_FAULTS else int(which)
        try:
            require_full()
            cleared = ask_twin(parts, prefix, lambda client: clear_faults(client.call, number))
        except GnomonError as error:
            return problem_line(str(error)), no_update
        told = f"cleared: {', '.join(str(fault['id']) for fault in cleared) or 'none'}"
        unrecorded = next((str(fault["unrecorded"]) for fault in cleared if fault.get("unrecorded")), "")
        if unrecorded:
            return problem_line(f"{told}; the journal does not have this: {unrecorded}"), click
        return html.P(told, className="good"), click


def fault_table(faults: Sequence[Mapping[str, Any]]) -> Component:
    """Make the table of faults; their texts stay texts."""
    if not faults:
        return html.P("No fault is injected.", className="note")
    heads = (("#", "n"), ("Kind", ""), ("Fault", ""), ("State", ""), ("Left", "n"), ("By", ""), ("", "changes"))
    rows = []
    for fault in faults:
        left = fault.get("remaining")
        clear = click_button("Clear", CLICK, str(int(fault["id"])))
        rows.append(
            html.Tr(
                [
                    html.Td(f"{fault['id']:g}", className="n"),
                    html.Td(str(fault.get("kind", ""))),
                    html.Td(str(fault["text"]), className="text"),
                    html.Td(str(fault.get("phase") or "active")),
                    html.Td("" if left is None else f"{left:g}", className="n"),
                    html.Td(str(fault["created_by"])),
                    html.Td(clear, className="changes"),
                ]
            )
        )
    head = html.Thead(html.Tr([html.Th(text, className=kind) for text, kind in heads]))
    return html.Table([head, html.Tbody(rows)], className="list")


PAGE = Page(
    path="faults", title="Faults", layout=layout, sources=(sources.FAULTS_COUNT, sources.FAULTS_ACTIVE),
    callbacks=callbacks,
)  # fmt: skip
