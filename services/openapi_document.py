"""The OpenAPI document with names for clients, and without constructs on which generators of clients stumble."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from gnomon.services.problems import Problem


def operation_name(route: APIRoute) -> str:
    """Name the operation of a route as its function is named, so that clients have functions of these names."""
    return route.name


def describe(app: FastAPI) -> None:
    """Make `app.openapi` return the document with all schemas that it refers to, in words that generators know."""

    def made() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            document["components"]["schemas"][Problem.__name__] = Problem.model_json_schema()
            app.openapi_schema = _plain(document)
        return app.openapi_schema

    app.openapi = made  # type: ignore[method-assign]


def _plain(node: Any) -> Any:
    """Write a schema so that it becomes a type of its own in every language.

    Tuples of one type are lists of their length, and constants are one choice. What may be a number or a text is
    anything: generators make an empty type of such a choice, of which a program can read nothing.
    """
    if isinstance(node, list):
        return [_plain(each) for each in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _plain(value) for key, value in node.items()}
    items = plain.get("prefixItems")
    if isinstance(items, list) and all(each == items[0] for each in items):
        del plain["prefixItems"]
        plain["items"] = items[0]
    if "const" in plain and isinstance(plain.get("type"), str):
        plain["enum"] = [plain.pop("const")]
    if isinstance(choices := plain.get("anyOf"), list):
        values = [each for each in choices if each != {"type": "null"}]
        kinds = {each.get("type") for each in values}
        if kinds == {"array"} and len(values) > 1:
            plain["anyOf"] = [{"type": "array", "items": {}}, *(each for each in choices if each not in values)]
            if len(plain["anyOf"]) == 1:
                plain |= plain.pop("anyOf")[0]
        elif len(kinds) > 1 and kinds <= _PLAIN:
            del plain["anyOf"]
    return plain


#: Types of JSON that have no parts.
_PLAIN = {"string", "number", "integer", "boolean"}
