"""Stored results: a list with a filter, each with its pictures, and two or more beside each other."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlencode

from dash import ALL, Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component
from pydantic import ValidationError

from gnomon.lattice import GnomonError
from gnomon.procedures.documents import Run
from gnomon.procedures.registry import typed
from gnomon.procedures.results import compare
from gnomon.procedures.summaries import summarise
from gnomon.services.dashboard import BASE
from gnomon.services.dashboard.page_parts import DashboardParts, Page, search_field
from gnomon.services.dashboard.page_pictures import paint_pictures, picture_cards, theme_store
from gnomon.services.dashboard.page_twin import problem_line
from gnomon.services.dashboard.pictures.alignment_pictures import quadrupole_lines
from gnomon.services.dashboard.pictures.comparison_pictures import comparison_pictures
from gnomon.services.dashboard.pictures.figure_parts import Picture
from gnomon.services.dashboard.pictures.run_pictures import is_typed, run_pictures
from gnomon.services.dashboard.result_shelf import ResultShelf, picture_context, title_of

PATH = "results"
#: Results in the list, and the period at which it is read again [ms].
COUNT, PERIOD_MS = 50, 5000
#: Results that are compared with one, and that are offered for it.
MAX_COMPARED, MAX_OFFERED = 4, 100


def layout() -> Component:
    """Make the page; its content follows from the address: the list, or one result."""
    return html.Div([theme_store(), html.Div(id="results-body")])


def callbacks(app: Dash, parts: DashboardParts) -> None:
    """Register the callbacks."""
    shelf = ResultShelf(parts.settings.results)
    paint_pictures(app)

    @app.callback(Output("results-body", "children"), Input("address", "search"), State("address", "pathname"))
    def show(search: str | None, pathname: str | None) -> Any:
        """Show the list, or the result that the address names."""
        if not (pathname or "").rstrip("/").endswith(f"/{PATH}"):
            return no_update
        asked = parse_qs((search or "").removeprefix("?"))
        if "show" not in asked:
            return _list_view(shelf)
        try:
            return _run_view(shelf, asked["show"][0], asked.get("with", [])[:MAX_COMPARED])
        except GnomonError as error:
            return html.Div([_back(), html.P(str(error), className="problem", role="alert")])

    @app.callback(
        Output("results-list", "children"),
        Input("results-procedure", "value"),
        Input("results-text", "value"),
        Input("results-tick", "n_intervals"),
    )
    def fill(procedure: str | None, text: str | None, _: int) -> Any:
        """Fill the list."""
        return _table(shelf, procedure or "", text or "")

    @app.callback(
        Output("address", "search", allow_duplicate=True),
        Input({"type": "results-with", "of": ALL}, "value"),
        State("address", "search"),
        prevent_initial_call=True,
    )
    def choose(values: Sequence[Sequence[str] | None], search: str | None) -> Any:
        """Put the results to compare with into the address."""
        asked = parse_qs((search or "").removeprefix("?"))
        chosen = list(values[0] or ()) if values else []
        if "show" not in asked or chosen == asked.get("with", []):
            return no_update
        return f"?{urlencode({'show': asked['show'][0], 'with': chosen[:MAX_COMPARED]}, doseq=True)}"

    @app.callback(Output("results-lines", "children"), Input("results-quadrupole", "value"), State("address", "search"))
    def lines(quadrupole: str, search: str | None) -> Any:
        """Draw the lines of one quadrupole."""
        name = parse_qs((search or "").removeprefix("?")).get("show", [""])[0]
        data, parameters, outcome = typed(shelf.read(name))
        figure = quadrupole_lines(data, parameters, outcome, quadrupole)  # type: ignore[arg-type]
        text = "change of the orbit by the gradient, at the monitors that it moves most; dotted: the magnetic centre"
        return picture_cards([Picture(f"Lines of {quadrupole}", figure, text, wide=True)], f"lines-{quadrupole}")

    @app.callback(
        Output("results-download", "data"),
        Input({"type": "results-save", "of": ALL}, "n_clicks"),
        State("address", "search"),
        prevent_initial_call=True,
    )
    def download(clicks: Sequence[int | None], search: str | None) -> Any:
        """Send the file of the result."""
        if not any(clicks):
            return no_update
        name = parse_qs((search or "").removeprefix("?")).get("show", [""])[0]
        return {
            "filename": f"{name}.h5",
            "content": b64encode(shelf.file(name).read_bytes()).decode(),
            "base64": True,
            "type": "application/x-hdf5",
        }


def result_link(name: str) -> Component:
    """Make the link to a result's page."""
    return dcc.Link(name, href=f"{BASE}/{PATH}?{urlencode({'show': name})}", className="mono")


def _list_view(shelf: ResultShelf) -> Component:
    options = [{"label": "all procedures", "value": ""}]
    options += [{"label": title_of(each), "value": each} for each in shelf.procedures()]
    return html.Div(
        [
            html.Div(
                [
                    html.Label(
                        [
                            "Procedure",
                            dcc.Dropdown(options, "", id="results-procedure", clearable=False, searchable=False),
                        ],
                        className="choice wide-choice",
                    ),
                    search_field("Search", "results-text", "name, note, user, prefix", 0.3),
                ],
                className="page-tools",
            ),
            dcc.Interval(id="results-tick", interval=PERIOD_MS),
            html.Div(_table(shelf, "", ""), id="results-list", className="card scroll"),
        ]
    )


def _table(shelf: ResultShelf, procedure: str, text: str) -> Component:
    lines, total = shelf.lines(procedure, text, COUNT)
    if not lines:
        told = "No result holds this." if total else "No results yet: `gnomon measure` makes one."
        return html.P(told, className="note")
    heads = ("Result", "What", "State", "Machine", "Prefix", "By", "Note")
    rows = [
        html.Tr(
            [
                html.Td(result_link(line.name)),
                html.Td(title_of(line.procedure)),
                html.Td(line.status, title=line.reason, className=f"state-{line.status}"),
                html.Td(line.machine),
                html.Td(line.prefix, className="mono"),
                html.Td(line.user),
                html.Td(line.note, className="text"),
            ]
        )
        for line in lines
    ]
    head = html.Thead(html.Tr([html.Th(text) for text in heads]))
    table = html.Table([head, html.Tbody(rows)], className="list stack")
    more = f"The newest {len(lines)} of {total}." if total > len(lines) else f"{total} results."
    return html.Div([table, html.P(more if not text else f"{len(lines)} hold this.", className="note")])


def _back() -> Component:
    return dcc.Link("‹ All results", href=f"{BASE}/{PATH}")


def _run_view(shelf: ResultShelf, name: str, compared: Sequence[str]) -> Component:
    run = shelf.read(name)
    others = [shelf.read(other) for other in compared]
    offered = list(dict.fromkeys([*compared, *shelf.others(run)[:MAX_OFFERED]]))
    beside = others[0] if others and others[0].outcome is not None else None
    try:
        pictures, problem = list(run_pictures(run, picture_context(run, beside))), ""
    except (ValueError, ArithmeticError, LookupError) as error:  # of numbers that no version of ours has stored
        pictures, problem = [], f"no pictures, since its numbers cannot be drawn: {error}"
    return html.Div(
        [
            html.Div(
                [
                    _back(),
                    html.Label(
                        [
                            "Compare with",
                            dcc.Dropdown(
                                offered, list(compared), id={"type": "results-with", "of": name}, multi=True,
                                placeholder="earlier results of the same kind", disabled=not offered,
                            ),
                        ],
                        className="choice wide-choice",
                    ),
                    html.Button("Save file", id={"type": "results-save", "of": name}, title="HDF5, NeXus"),
                    dcc.Download(id="results-download"),
                ],
                className="page-tools",
            ),
            _head(run),
            problem_line(problem),
            *_differences(run, others),
            picture_cards(pictures, name),
            *_quadrupole_choice(run),
            *_compared(run, others),
        ]
    )  # fmt: skip


def _head(run: Run) -> Component:
    told = run.provenance
    numbers = f"{told.first_command + 1} to {told.last_command} of the journal" if told.last_command else "none"
    facts = [
        ("measured", f"{told.started[:19].replace('T', ' ')} UTC by {told.user or 'unknown'}"),
        ("at", f"{told.machine or 'unknown machine'}, prefix {told.prefix!r}{f', {told.role}' if told.role else ''}"),
        ("lattice", told.lattice_id or "unknown"),
        ("commands", numbers),
        ("identifier", str(run.identifier)),
        ("with", ", ".join(f"{program} {number}" for program, number in told.versions.items()) or "unknown versions"),
    ]
    if run.note:
        facts.insert(0, ("note", run.note))
    if run.reason:
        facts.insert(0, (run.status, run.reason))
    lines = summarise(run) if is_typed(run) else []
    return html.Div(
        [
            html.Div(
                [
                    html.H2([title_of(run.procedure).capitalize(), " ", html.Span(run.name, className="mono note")]),
                    html.Dl([part for key, text in facts for part in (html.Dt(key), html.Dd(text, className="text"))]),
                ],
                className="card",
            ),
            html.Div(
                html.Table(
                    html.Tbody(
                        [
                            html.Tr([html.Th(line.name), html.Td(f"{line.value} {line.unit}".strip(), className="n")])
                            for line in lines
                        ]
                    ),
                    className="list",
                ),
                className="card scroll",
            )
            if lines
            else html.P("It has no outcome.", className="card note"),
        ],
        className="cards",
        id="results-head",
    )  # fmt: skip


def _compared(run: Run, others: Sequence[Run]) -> list[Component]:
    """Show the outcomes of all runs over each other."""
    same = [other for other in others if other.procedure == run.procedure]
    if not same:
        return []
    name = f"compare-{'-'.join(each.name for each in same)}"
    return [picture_cards(comparison_pictures(run, same, picture_context(run)), name)]


def _differences(run: Run, others: Sequence[Run]) -> list[Component]:
    """Show the differences of other runs to one as a table."""
    rows: list[Component] = []
    for other in others:
        try:
            differences = compare(other, run)
        except (GnomonError, ValidationError) as error:
            rows.append(
                html.Tr([html.Td(result_link(other.name)), html.Td(str(error), colSpan=4, className="problem")])
            )
            continue
        rows += [
            html.Tr(
                [
                    html.Td(result_link(other.name)),
                    html.Td(each.field),
                    html.Td(f"{each.largest:.4g} {each.unit}", className="n"),
                    html.Td(f"{each.rms:.4g} {each.unit}", className="n"),
                    html.Td("" if each.in_errors != each.in_errors else f"{each.in_errors:.3g}", className="n"),
                ]
            )
            for each in differences
        ]
    if not rows:
        return []
    heads = (
        ("this result less", ""),
        ("array", ""),
        ("largest", "n"),
        ("rms", "n"),
        ("rms in standard deviations", "n"),
    )
    table = html.Table(
        [html.Thead(html.Tr([html.Th(head, className=kind) for head, kind in heads])), html.Tbody(rows)],
        className="list",
        id="results-differences",
    )
    return [html.Div([html.H2("Differences"), table], className="card scroll")]


def _quadrupole_choice(run: Run) -> list[Component]:
    if run.procedure != "bba" or run.outcome is None or not is_typed(run):
        return []
    names = list(run.outcome["quadrupoles"])
    return [
        html.Div(
            html.Label(
                [
                    "Quadrupole",
                    dcc.Dropdown(names, names[0], id="results-quadrupole", clearable=False),
                ],
                className="choice wide-choice",
            ),
            className="page-tools",
        ),
        html.Div(id="results-lines"),
    ]


PAGE = Page(path=PATH, title="Results", layout=layout, callbacks=callbacks)
