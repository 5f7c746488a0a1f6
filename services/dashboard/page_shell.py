"""The frame of all pages: navigation, choice of the twin, strip of its state, and the page itself."""

from collections.abc import Sequence

from dash import dcc, html
from dash.development.base_component import Component

from gnomon.services.dashboard.page_parts import PREFIX_STORE, Page, attributes, role

#: Cells of the strip below the navigation: key for the script, name.
STRIP = (("beam", "Beam"), ("tune-x", "Qx"), ("tune-y", "Qy"), ("current", "Current"), ("faults", "Faults"))


def shell(pages: Sequence[Page]) -> Component:
    """Make what stays when the page changes. `role-read` on the body's first child hides the class `changes`."""
    links = [dcc.Link(page.title, href=f"/dashboard/{page.path}", className="nav-link") for page in pages]
    return html.Div(
        [
            dcc.Location(id="address"),
            dcc.Store(id=PREFIX_STORE),
            html.A("Skip to the page", href="#page", className="skip"),
            html.Header(
                [
                    html.Div(
                        [html.Img(src="/dashboard/assets/gnomon.svg", alt="", width=26, height=26), "gnomon"],
                        className="brand",
                    ),
                    html.Nav(links, className="nav", **attributes(aria_label="Pages")),
                    html.Div(_tools(), className="tools"),
                ],
                className="top",
            ),
            html.Div(
                [
                    html.Div([html.Span(className="dot"), html.Span("connecting", id="link-text")], id="link"),
                    *(_cell(key, name) for key, name in STRIP),
                    html.Div(id="attention", role="status"),
                ],
                id="strip",
                role="group",
                **attributes(aria_label="State of the twin"),
            ),
            html.Main(id="page", tabIndex=-1),
        ],
        id="shell",
        className=f"role-{role()}",
    )


def _tools() -> list[Component]:
    """Choice of the twin, theme, and the way out."""
    return [
        # The choices come with the live values: the script fills them in.
        html.Label([html.Span("Twin", className="tool-name"), html.Span(id="prefix-choice")], className="choice"),
        html.Button("◐", id="theme", title="Theme: as the system", **attributes(aria_label="Change the theme")),
        html.Form(html.Button("Sign out", type="submit", className="quiet"), method="post", action="/dashboard/logout"),
    ]


def _cell(key: str, name: str) -> Component:
    return html.Div([html.Span(name, className="name"), html.Span("–", id=f"strip-{key}", className="value")])


def page_content(pages: Sequence[Page], path: str) -> Component:
    """Make the page of a path; the first one where there is no path."""
    found = next((page for page in pages if page.path == path), None if path else pages[0])
    if found is None:
        return html.Section([html.H1("There is no such page"), html.P("Choose one above.")], className="page")
    return html.Section(
        [html.H1(found.title), found.layout()],
        className="page",
        **attributes(data_page=found.path, data_title=found.title),
    )
