"""Buttons in lists that are filled anew: a script puts what was clicked into a store.

An `Input` on all buttons of a list would be triggered by each new list, too, and its answer to a click be dropped.
"""

from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

__all__ = ["click_button", "click_store", "clicked"]


def click_store(name: str) -> Component:
    """Make the store that holds the last click: an `Input` of the callback that acts."""
    return dcc.Store(id=name)


def click_button(text: str, store: str, value: str, class_name: str = "") -> Component:
    """Make a button whose value goes to a store when it is clicked."""
    told: Any = {"data-click": store, "data-value": value}
    return html.Button(text, className=class_name, **told)


def clicked(data: Any) -> str:
    """Return the value of the button that was clicked; empty if none was."""
    return str(data["value"]) if isinstance(data, dict) and "value" in data else ""
