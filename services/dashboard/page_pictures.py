"""Pictures of results as components: each with its title and a text, painted in the browser in the theme's colours."""

from collections.abc import Sequence
from typing import Any

from dash import MATCH, ClientsideFunction, Dash, Input, Output, dcc, html
from dash.development.base_component import Component

from gnomon.services.dashboard.pictures.figure_parts import Picture

__all__ = ["PICTURE_THEME", "paint_pictures", "picture_cards", "theme_store"]

#: Id of the store that counts changes of the theme; a page with pictures has one.
PICTURE_THEME = "picture-theme"
_GRAPH, _DATA = "picture", "picture-data"
_CONFIG: Any = {"displaylogo": False, "displayModeBar": False, "doubleClick": "reset"}


def theme_store() -> Component:
    """Make the store through which the script says that the theme has changed."""
    return dcc.Store(id=PICTURE_THEME)


def picture_cards(pictures: Sequence[Picture], page: str) -> Component:
    """Make the cards of pictures in a grid, those that are wide over its whole width."""
    return html.Div([_card(picture, f"{page}-{n}") for n, picture in enumerate(pictures)], className="pictures")


def paint_pictures(app: Dash) -> None:
    """Register the callback that paints all pictures; once for an application."""
    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction("gnomon", "paint"),
        Output({"type": _GRAPH, "index": MATCH}, "figure"),
        Input({"type": _DATA, "index": MATCH}, "data"),
        Input(PICTURE_THEME, "data"),
    )


def _card(picture: Picture, index: str) -> Component:
    layout = dict(picture.figure["layout"])
    height = layout.pop("height")
    figure = {"data": picture.figure["data"], "layout": layout}
    empty: dict[str, Any] = {"data": [], "layout": {"xaxis": {"visible": False}, "yaxis": {"visible": False}}}
    spoken: Any = {"aria-label": f"{picture.title}: {picture.text}" if picture.text else picture.title}
    return html.Figure(
        [
            html.Figcaption([html.H2(picture.title), html.P(picture.text, className="note")]),
            dcc.Store(id={"type": _DATA, "index": index}, data=figure),
            html.Div(
                dcc.Graph(
                    id={"type": _GRAPH, "index": index},
                    figure=empty,
                    responsive=True,
                    config=_CONFIG,
                    style={"height": f"{height}px"},
                ),
                role="img",
                **spoken,
            ),
        ],
        className="figure picture wide" if picture.wide else "figure picture",
    )
