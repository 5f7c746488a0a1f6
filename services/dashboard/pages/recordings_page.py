"""Named recordings: a list, and the review of one with its pictures; nothing is changed here."""

from base64 import b64encode
from typing import Any
from urllib.parse import parse_qs, urlencode

from dash import Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from gnomon.lattice import GnomonError
from gnomon.lattice.text import printable
from gnomon.recorder.recordings import (
    NOT_PROTECTION,
    PICTURES,
    TextTable,
    beam_of,
    facts_of,
    marks_of,
    picture,
    steps_of,
    totals_of,
)
from gnomon.services.dashboard import BASE
from gnomon.services.dashboard.page_parts import DashboardParts, Page
from gnomon.services.dashboard.page_twin import problem_line
from gnomon.services.reviewed_recordings import Reviewed, recording_lines, review_of
from gnomon.services.service_documents import NamedRecording

PATH = "recordings"
#: Recordings in the list.
COUNT = 100


def layout() -> Component:
    """Make the page; its content follows from the address: the list, or one review."""
    return html.Div(dcc.Loading(html.Div(id="recordings-body"), delay_show=400))


def callbacks(app: Dash, parts: DashboardParts) -> None:
    """Register the callback."""
    config = parts.settings.config

    @app.callback(Output("recordings-body", "children"), Input("address", "search"), State("address", "pathname"))
    def show(search: str | None, pathname: str | None) -> Any:
        """Show the list, or the review that the address names."""
        if not (pathname or "").rstrip("/").endswith(f"/{PATH}"):
            return no_update
        asked = parse_qs((search or "").removeprefix("?"))
        try:
            if "show" not in asked:
                return recording_table(recording_lines(config)[:COUNT])
            return review_view(review_of(config, asked["show"][0]))
        except GnomonError as error:
            return html.Div([_back(), problem_line(str(error))])


def recording_table(lines: list[NamedRecording]) -> Component:
    """Make the list of recordings."""
    if not lines:
        return html.P("No recordings yet: `gnomon record start NAME -m PURPOSE` begins one.", className="note")
    heads = ("Recording", "Steps", "Purpose", "Author", "Made", "Machine", "Approved by")
    rows = [
        html.Tr(
            [
                html.Td(dcc.Link(line.name, href=f"{BASE}/{PATH}?{urlencode({'show': line.name})}", className="mono")),
                html.Td(str(line.steps), className="n"),
                html.Td(printable(line.purpose), className="text"),
                html.Td(printable(line.author)),
                html.Td(line.made[:19].replace("T", " ")),
                html.Td(line.machine),
                html.Td(", ".join(printable(each.reviewer) for each in line.approvals if not each.trouble) or "nobody"),
            ]
        )
        for line in lines
    ]
    head = html.Thead(html.Tr([html.Th(text, className="n" if text == "Steps" else "") for text in heads]))
    return html.Div(html.Table([head, html.Tbody(rows)], className="list"), className="card scroll")


def review_view(found: Reviewed) -> Component:
    """Show a review: facts, marks, totals, pictures, steps."""
    recording, marks = found.file.recording, found.review.marks
    facts = [part for title, text in facts_of(found.review, found.file) for part in _fact(title, text)]
    pictures = [
        html.Figure(
            [html.Figcaption(html.H2(title)), html.Img(src=_source(found, name), alt=title, style=_size(name))],
            className="figure picture wide",
        )
        for name, (title, _) in PICTURES.items()
    ]
    unusual: list[Component] = [html.P("Nothing was found that is unusual.", className="good")]
    return html.Div(
        [
            html.Div([_back()], className="page-tools"),
            html.Div([html.H2(recording.name), html.Dl(facts)], className="card"),
            html.Div([html.H2("Unusual"), *([_table(marks_of(found.review))] if marks else unusual)], className="card"),
            html.Div([html.H2("In total"), _table(totals_of(found.review)), _table(beam_of(found.review))],
                     className="card scroll"),
            html.Div(pictures, className="pictures"),
            html.Div([html.H2("Step by step"), _table(steps_of(found.review))], className="card scroll"),
            html.P(f"Sign it with `gnomon review approve {recording.name}`. {NOT_PROTECTION.capitalize()}.",
                   className="note"),
        ]
    )  # fmt: skip


def _fact(title: str, text: str) -> list[Component]:
    return [html.Dt(title), html.Dd(printable(text), className="text")]


def _size(name: str) -> dict[str, str]:
    """Choose the size of a picture: those along the ring are as wide as the page."""
    return {"width": "100%", "maxWidth": "42rem" if name == "tunes" else "100%"}


def _source(found: Reviewed, name: str) -> str:
    return f"data:image/svg+xml;base64,{b64encode(picture(found.review, name)).decode()}"


def _table(table: TextTable) -> Component:
    kinds = ["n" if number in table.right else "" for number in range(len(table.columns))]
    head = html.Tr([html.Th(text, className=kind) for text, kind in zip(table.columns, kinds, strict=True)])
    rows = [
        html.Tr([html.Td(printable(text), className=kind) for text, kind in zip(row, kinds, strict=True)])
        for row in table.rows
    ]
    return html.Table([html.Thead(head), html.Tbody(rows)], className="list")


def _back() -> Component:
    return dcc.Link("‹ All recordings", href=f"{BASE}/{PATH}")


PAGE = Page(path=PATH, title="Reviews", layout=layout, callbacks=callbacks)
