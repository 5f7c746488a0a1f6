"""Power supplies as a table with limits and readbacks: searched, sorted, and what deviates is marked."""

from collections.abc import Iterable
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, dcc, html
from dash.development.base_component import Component

from gnomon.clients.epics_client import EpicsClient, PvInfo
from gnomon.clients.errors import ClientError
from gnomon.db import sources
from gnomon.services.dashboard.page_parts import PREFIX_STORE, DashboardParts, Page

#: Properties of devices that supplies and the master clock have.
PROPERTIES = ("current", "frequency", "voltage")
#: Columns: key for the script, head, what it tells.
COLUMNS = (
    ("name", "Supply", "name of the power supply, or of another device"),
    ("set", "Setpoint", "as it was asked for"),
    ("readback", "Readback", "as it is"),
    ("deviation", "Deviation", "readback less setpoint"),
    ("use", "Use of limits", "the setpoint between its drive limits; marked from 90 % of the way to one"),
    ("state", "State", "what is wrong, if anything"),
)


def layout() -> Component:
    """Make the page: search, choice, counts, and the table that the script fills."""
    return html.Div(
        [
            html.Div(
                [
                    html.Label(
                        [
                            "Search",
                            dcc.Input(id="supplies-text", type="search", placeholder="name or PV", maxLength=100),
                        ],
                        className="choice",
                    ),
                    dcc.Checklist(
                        [{"label": "only those that are marked", "value": "marked"}],
                        [],
                        id="supplies-only",
                        className="choice",
                    ),
                    html.Div(id="supplies-count", className="note", role="status"),
                ],
                className="page-tools",
            ),
            html.P(id="supplies-problem", className="problem", role="alert"),
            html.Div(
                html.Table(
                    [
                        html.Thead(
                            html.Tr(
                                [
                                    _head(key, head, text)
                                    for key, head, text in COLUMNS
                                ]
                            )
                        ),
                        html.Tbody(id="supplies-rows"),
                    ],
                    className="list supplies",
                ),
                id="supplies-scroll",
                className="card",
                tabIndex=0,
            ),
            dcc.Store(id="supplies-pvs"),
            dcc.Store(id="supplies-taken"),
        ]
    )  # fmt: skip


def _head(key: str, head: str, text: str) -> Component:
    told: Any = {"data-key": key}
    button = html.Button(head, className="sort", title=f"{text}; sort by it")
    return html.Th(button, className=f"c-{key}", **told)


def callbacks(app: Dash, parts: DashboardParts) -> None:
    """Register the callbacks."""

    @app.callback(Output("supplies-pvs", "data"), Output("supplies-problem", "children"), Input(PREFIX_STORE, "data"))
    def find(prefix: str | None) -> Any:
        """Ask the chosen twin for its settings, with the PVs of setpoints and readbacks."""
        target = parts.hub.targets().get(prefix or "")
        if target is None:
            return [], "" if not prefix else f"there is no server with the prefix {prefix!r}"
        try:
            with EpicsClient(target) as client:
                return supply_rows(client.pvs.values(), target.prefix), ""
        except ClientError as error:
            return [], str(error)

    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction("gnomon", "supplies"),
        Output("supplies-taken", "data"),
        Input("supplies-pvs", "data"),
        Input("supplies-text", "value"),
        Input("supplies-only", "value"),
    )


def supply_rows(pvs: Iterable[PvInfo], prefix: str) -> list[dict[str, str]]:
    """Pair setpoints and readbacks of devices, by names without the prefix, in the order of the server's list."""
    readbacks: dict[tuple[str, str, str], str] = {}
    setpoints: dict[tuple[str, str, str], str] = {}
    for info in pvs:
        key = (str(info.device), str(info.property), str(info.unit))
        if info.property in PROPERTIES and info.source == sources.SET.name:
            setpoints.setdefault(key, str(info.name).removeprefix(prefix))
        elif info.property in PROPERTIES and info.source == sources.READBACK.name:
            readbacks.setdefault(key, str(info.name).removeprefix(prefix))
    return [
        {
            "name": key[0] if key[1] == "current" else f"{key[0]} {key[1]}",
            "set": setpoint,
            "readback": readbacks.get(key, ""),
            "unit": key[2],
        }
        for key, setpoint in setpoints.items()
    ]


PAGE = Page(
    path="supplies",
    title="Supplies",
    layout=layout,
    every=(sources.SET, sources.READBACK),
    properties=PROPERTIES,
    callbacks=callbacks,
)
