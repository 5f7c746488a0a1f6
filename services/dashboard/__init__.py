"""The dashboard: pages of a running ring in a browser, live, in the process of the services. Needs `dashboard`.

How a page is added:

1. A module in `pages/` with a `PAGE` (`page_parts.Page`): path, title, `layout()` with Dash components, the sources
   whose live values its script gets, and `callbacks(app, parts)` for Dash callbacks. It is listed in `page_list.py`.
2. What is live is drawn by a script in `assets/`, named as the page's module: it registers with
   `gnomon.page(PATH, {start(root), frame(live, root), stop()})`, and `frame` is called with each push, five times a
   second at the most. `live.get(key)` gives the value of a source by its name (of a PV in `every` by its name without
   prefix): {v, u, s, a, t, fresh}, where `fresh` is false when it is INVALID, disconnected, or its server is gone. Show
   it so, by `gnomon.show(element, value, format)` or yourself. With `beside: true` in what is registered,
   `live.get(key, "beside")` is of the prefix beside. Figures are made in the layout by `page_figures.live_figure`, and
   drawn by `gnomon.draw(name, traces, layout, fresh, why)`, in the theme's colours. A single value needs no script:
   `page_parts.live_value(key, form)`.
3. A page that only shows what a person asks for needs no script: Dash callbacks, with `State(PREFIX_STORE, "data")` for
   the chosen prefix. They run in threads, so they may wait. A script can start one with new live values by
   `dash_clientside.set_props(ID, {data: VALUE})` of a `dcc.Store`.
4. What changes something has the CSS class `changes`, which a read-only role does not see, and its callback begins with
   `page_parts.require_full()`. Cookies and origins are checked for all pages (`sign_in.py`).
5. Figures of what is stored are pure functions in `pictures/`, shown by `page_pictures.picture_cards`. Buttons in lists
   that are filled anew are `page_clicks.click_button`. A running twin is asked by `page_twin.ask_twin`.
6. Nothing is loaded from other hosts. Colours are the custom properties of `assets/dashboard.css` (`--x`, `--y`,
   `--bad`); lay out in `.page-tools`, `.numbers`, `.figures`, `.cards`, `.card`, `table.list`: they fit a phone.
"""

from importlib.util import find_spec

__all__ = ["BASE", "MISSING", "is_installed"]

#: Path of the dashboard below that of the services.
BASE = "/dashboard"
MISSING = "the dashboard needs dash, which is in an extra: pip install 'gnomon[services,dashboard]'"


def is_installed() -> bool:
    """Tell whether the libraries of the extra `dashboard` are installed."""
    return all(find_spec(name) is not None for name in ("dash", "a2wsgi"))
