"""A form for the options of a procedure, made from their JSON schema, and what was filled in as options. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

from gnomon.lattice.text import parse_number
from gnomon.procedures.errors import ProcedureError

__all__ = ["OPTION", "filled_in", "option_form"]

#: Type in the ids of the fields; their `name` is that of the option, `of` that of the procedure.
OPTION = "procedure-option"
YES = "yes"


def option_form(procedure: str, schema: Mapping[str, Any]) -> list[Component]:
    """Make a field for each option, with its meaning; those that are needed come first, the note last."""
    needed = set(schema.get("required", ()))
    names = sorted(schema["properties"], key=lambda name: (name not in needed, name == "note"))
    return [
        _field({"type": OPTION, "of": procedure, "name": name}, schema["properties"][name], needed=name in needed)
        for name in names
    ]


def filled_in(schema: Mapping[str, Any], names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    """Read the fields: what is empty or as it was is left out. Raises ProcedureError for a number that is not one."""
    found = {}
    for name, value in zip(names, values, strict=True):
        described = schema["properties"].get(name)
        if described is None:
            continue
        read = _read(name, described, value)
        if read is not None and read != described.get("default"):
            found[name] = read
    return found


def _field(key: dict[str, str], described: Mapping[str, Any], *, needed: bool) -> Component:
    kind, choices = _kind(described), described.get("enum")
    default = described.get("default")
    meaning = str(described.get("description", "")).replace("null:", "empty:")
    label = key["name"].replace("_", " ") + (" (needed)" if needed else "")
    field: Component
    if kind == "boolean":
        field = dcc.Checklist([{"label": label, "value": YES}], [YES] if default else [], id=key)
        return html.Div([field, html.Div(meaning, className="note")], className="option")
    if choices:
        field = dcc.Dropdown(list(choices), default, id=key, clearable=False, searchable=False)
    else:
        shown = " ".join(map(str, default)) if isinstance(default, list) else "" if default is None else str(default)
        field = dcc.Input(id=key, type="text", value=shown, placeholder=_hint(described), maxLength=2000)
    return html.Div([html.Label([html.Span(label), field]), html.Div(meaning, className="note")], className="option")


def _kind(described: Mapping[str, Any]) -> str:
    """Return the JSON type of an option, of one that may be null that of its value."""
    if "type" in described:
        return str(described["type"])
    return next((str(each["type"]) for each in described.get("anyOf", ()) if each.get("type") != "null"), "string")


def _hint(described: Mapping[str, Any]) -> str:
    """Say what a field takes."""
    one = next((each for each in described.get("anyOf", ()) if each.get("type") != "null"), described)
    low = one.get("minimum", one.get("exclusiveMinimum"))
    high = one.get("maximum", one.get("exclusiveMaximum"))
    match _kind(described):
        case "array":
            return "numbers, with spaces between" if "prefixItems" in described else "names or patterns, with spaces"
        case "integer" | "number" if low is not None and high is not None:
            return f"{low:g} to {high:g}"
        case "integer" | "number":
            return "automatic" if described.get("default") is None and "anyOf" in described else "number"
        case _:
            return ""


def _read(name: str, described: Mapping[str, Any], value: Any) -> Any:
    kind = _kind(described)
    if kind == "boolean":
        return bool(value)
    text = str(value or "").strip()
    if not text:
        return None
    if kind == "array":
        parts = text.replace(",", " ").split()
        return [_number(name, part) for part in parts] if "prefixItems" in described else parts
    if kind in ("number", "integer"):
        number = _number(name, text)
        return int(number) if kind == "integer" and number == int(number) else number
    return text


def _number(name: str, text: str) -> float:
    try:
        return parse_number(text)
    except ValueError as error:
        raise ProcedureError(f"{name.replace('_', ' ')}: {error}") from error
