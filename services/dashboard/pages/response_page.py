"""The response matrix: the newest measured one, or the one that is chosen, the model beside it, their difference."""

from typing import Any

from dash import Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component

from gnomon.lattice import GnomonError
from gnomon.services.dashboard.page_parts import PREFIX_STORE, DashboardParts, Page
from gnomon.services.dashboard.page_pictures import picture_cards, theme_store
from gnomon.services.dashboard.page_twin import problem_line
from gnomon.services.dashboard.pages.results_page import result_link
from gnomon.services.dashboard.pictures.run_pictures import run_pictures
from gnomon.services.dashboard.result_shelf import ResultLine, ResultShelf, picture_context

#: Name of the procedure, and number of results that are offered.
PROCEDURE, COUNT = "orm", 50


def layout() -> Component:
    """Make the page: the choice of a measured matrix, and its pictures."""
    return html.Div(
        [
            theme_store(),
            html.Div(
                [
                    html.Label(
                        ["Measured", dcc.Dropdown([], id="response-name", clearable=False)],
                        className="choice wide-choice",
                    ),
                    html.Div(id="response-about"),
                ],
                className="page-tools",
            ),
            html.Div(id="response-pictures"),
        ]
    )


def callbacks(app: Dash, parts: DashboardParts) -> None:
    """Register the callbacks."""
    shelf = ResultShelf(parts.settings.results)

    @app.callback(
        Output("response-name", "options"),
        Output("response-name", "value"),
        Input(PREFIX_STORE, "data"),
        State("response-name", "value"),
    )
    def offer(prefix: str | None, chosen: str | None) -> Any:
        """Offer what was measured: at the chosen twin first, then elsewhere."""
        lines = [line for line in shelf.lines(PROCEDURE, count=COUNT)[0] if line.status == "done"]
        lines.sort(key=lambda line: line.prefix != prefix)
        names = [line.name for line in lines]
        return [{"label": _label(line), "value": line.name} for line in lines], (
            chosen if chosen in names else names[0] if names else None
        )

    @app.callback(
        Output("response-pictures", "children"),
        Output("response-about", "children"),
        Input("response-name", "value"),
    )
    def draw(name: str | None) -> Any:
        """Draw a measured matrix."""
        if name is None:
            told = "No response matrix was measured yet: start one on the page Procedures."
            return html.P(told, className="card note"), ""
        try:
            run = shelf.read(name)
        except GnomonError as error:
            return problem_line(str(error)), ""
        pictures = run_pictures(run, picture_context(run))
        return picture_cards(pictures, f"response-{name}"), result_link(name)


def _label(line: ResultLine) -> str:
    return f"{line.prefix or 'no prefix'}, {line.started[:16].replace('T', ' ')} UTC, {line.name}"


PAGE = Page(path="response", title="Response", layout=layout, callbacks=callbacks)
