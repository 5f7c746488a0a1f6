"""The state of a twin at a glance, as `gnomon status` shows it, live."""

from datetime import UTC, datetime
from pathlib import Path

from dash import Dash, Input, Output, dcc, html
from dash.development.base_component import Component

from gnomon.clients.overview import FIGURES, last_commands
from gnomon.db import sources
from gnomon.db.sources import Source
from gnomon.lattice.text import printable
from gnomon.recorder import Entry
from gnomon.services.dashboard.page_parts import PREFIX_STORE, DashboardParts, Page, live_value

#: Commands that are listed.
COMMANDS = 8
#: Longest note of a command that is shown [characters].
MAX_NOTE = 80
#: Count that changes with each command: the script sets it, a callback reads the journal.
COUNT_STORE = "status-commands"

#: Title of the card that only a shadow has.
FOLLOWED = "Machine that is followed"
#: Cards: title, and rows of a name with values; a value is a source and its form, a text stands as it is.
Row = tuple[str, tuple[tuple[Source, str] | str, ...]]
CARDS: tuple[tuple[str, tuple[Row, ...]], ...] = (
    (
        "Beam",
        (
            ("Stable beam", ((sources.BEAM_FOUND, ""),)),
            ("Reason", ((sources.BEAM_REASON, ""),)),
            ("Current", ((sources.BEAM_CURRENT, "2"),)),
            ("Lifetime over 10 s", ((sources.BEAM_LIFETIME_10S, "2"),)),
            ("Tunes x, y", ((sources.TUNE.x, "5"), (sources.TUNE.y, "5"))),
            ("Frequencies x, y", ((sources.TUNE_FREQUENCY.x, "2"), (sources.TUNE_FREQUENCY.y, "2"))),
            ("Chromaticities x, y", ((sources.CHROMATICITY.x, "3"), (sources.CHROMATICITY.y, "3"))),
            ("Rms orbit x, y", ((sources.ORBIT_DIFFERENCE_RMS.x, "5"), (sources.ORBIT_DIFFERENCE_RMS.y, "5"))),
            ("Largest x", ((sources.ORBIT_DIFFERENCE_LARGEST.x, "5"), (sources.ORBIT_DIFFERENCE_WHERE.x, ""))),
            ("Largest y", ((sources.ORBIT_DIFFERENCE_LARGEST.y, "5"), (sources.ORBIT_DIFFERENCE_WHERE.y, ""))),
            ("From reference", ((sources.REFERENCE_USE, ""),)),
        ),
    ),
    (
        "Model and faults",
        (
            ("Model", ((sources.ACTIVE, ""),)),
            ("Last result", ((sources.MODEL_TIME, "3"),)),
            ("Half within", ((sources.MODEL_P50, "3"),)),
            ("99 % within", ((sources.MODEL_P99, "3"),)),
            ("Commands waiting", ((sources.QUEUE, ""),)),
            ("Computations that hang", ((sources.MODEL_HUNG, ""),)),
            ("Lattice", ((sources.LATTICE_ID, ""),)),
            ("Faults injected", ((sources.FAULTS_COUNT, ""),)),
            ("Which", ((sources.FAULTS_ACTIVE, "list"),)),
        ),
    ),
    (
        FOLLOWED,
        (
            ("Role", ((sources.MACHINE_ROLE, ""),)),
            ("Machine", ((sources.MACHINE_CONNECTED, ""),)),
            ("What is missing", ((sources.MACHINE_REASON, ""),)),
            ("PVs connected", ((sources.MACHINE_PVS, ""),)),
            ("Setpoints not followed", ((sources.MACHINE_REFUSED, ""),)),
            ("Age of newest reading", ((sources.MACHINE_AGE, "1"),)),
            ("Rms residual x, y", ((sources.RESIDUAL_RMS.x, "4"), (sources.RESIDUAL_RMS.y, "4"))),
        ),
    ),
    (
        "Journal and server",
        (
            ("Journal", ((sources.RECORDER_STATE, ""),)),
            ("Commands", ((sources.JOURNAL_LAST, ""),)),
            ("Size", ((sources.JOURNAL_SIZE, "1"),)),
            ("File", ((sources.JOURNAL_PATH, ""),)),
            ("Version", ((sources.VERSION, ""),)),
            ("Process", ((sources.PROCESS, ""), (sources.HOST, ""))),
            ("Up", ((sources.UPTIME, "duration"),)),
            ("Memory", ((sources.MEMORY, "1"),)),
            ("Clients", ((sources.CA_CLIENTS, ""), "CA, ", (sources.PVA_CLIENTS, ""), "PVA")),
        ),
    ),
)


def layout() -> Component:
    """Make the page: cards, the last commands, and the twins to choose from."""
    return html.Div(
        [
            dcc.Store(id=COUNT_STORE),
            html.Div([_card(title, rows) for title, rows in CARDS], className="cards status-cards"),
            html.Div([html.H2("Last commands"), html.Div(id="status-journal", className="scroll")], className="card"),
            html.Div([html.H2("Twins"), html.Div(id="status-servers", className="scroll")], className="card"),
        ],
        className="stack",
    )


def _card(title: str, rows: tuple[Row, ...]) -> Component:
    shown = [html.Tr([html.Th(name, scope="row"), html.Td(_values(values))]) for name, values in rows]
    table = html.Table(html.Tbody(shown), className="list facts")
    return html.Section([html.H2(title), table], className="card only-shadow" if title == FOLLOWED else "card")


def _values(values: tuple[tuple[Source, str] | str, ...]) -> list[Component | str]:
    return [each if isinstance(each, str) else live_value(each[0].name, each[1]) for each in values]


def callbacks(app: Dash, parts: DashboardParts) -> None:
    """Read the journal again with each command."""

    @app.callback(Output("status-journal", "children"), Input(COUNT_STORE, "data"), Input(PREFIX_STORE, "data"))
    def show(_: object, prefix: str | None) -> Component:
        target = parts.hub.targets().get(prefix or "")
        if target is None or target.server is None or not target.server.journal:
            return html.P("The journal cannot be read from here: it is on the server's computer.", className="note")
        entries = last_commands(Path(target.server.journal), COMMANDS)
        if entries is None:
            return html.P("The journal cannot be read.", className="note")
        return commands_table(entries) if entries else html.P("None yet.", className="note")


def commands_table(entries: "tuple[Entry, ...]") -> Component:
    """Make a table of commands, the newest first."""
    head = html.Tr([html.Th(name, scope="col") for name in ("#", "Time (UTC)", "Change", "Outcome", "By", "Note")])
    return html.Table(
        [html.Thead(head), html.Tbody([_command(entry) for entry in reversed(entries)])], className="list"
    )


def _command(entry: Entry) -> Component:
    change = entry.changes[0] if entry.changes else None
    what = "-"
    if change is not None:
        old, new = ("-" if value is None else f"{value:.7g}" for value in (change.old, change.new))
        more = f" and {len(entry.changes) - 1} more" if len(entry.changes) > 1 else ""
        what = f"{change.pv} {old} → {new} {change.unit}{more}"
    time = f"{datetime.fromtimestamp(entry.wall_ns / 1e9, UTC):%H:%M:%S}"
    texts = (entry.outcome or "unknown", entry.client.user, entry.note[:MAX_NOTE])
    return html.Tr([html.Td(printable(text)) for text in (str(entry.sequence), time, what, *texts)])


PAGE = Page(path="status", title="Status", layout=layout, sources=FIGURES, callbacks=callbacks)
