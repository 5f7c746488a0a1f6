"""The OpenAPI document has what generators of clients need: names, all schemas, and types that they can express."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from unit.services.conftest import application


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return application(Path("/nonexistent")).openapi()


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for each in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from nodes(each)


def test_each_operation_is_named_as_its_function_and_once(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names))
    assert {"create_lattice", "list_recordings", "add_new_fault"} <= set(names)
    assert all(name.isidentifier() for name in names)


def test_every_schema_that_is_referred_to_is_there(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    referred = {node["$ref"].rpartition("/")[2] for node in nodes(document) if isinstance(node.get("$ref"), str)}
    assert referred <= schemas.keys()
    assert "Problem" in referred


def test_choices_are_those_that_become_types(document: dict[str, Any]) -> None:
    for node in nodes(document):
        assert "prefixItems" not in node
        values = [each for each in node.get("anyOf", ()) if each != {"type": "null"}]
        kinds = {each["type"] for each in values if "type" in each}
        assert not (len(values) > 1 and kinds <= {"string", "number", "integer", "boolean", "array"} and kinds), node


def test_values_that_may_be_null_still_may_be(document: dict[str, Any]) -> None:
    reading = document["components"]["schemas"]["ReadingAnswer"]["properties"]
    assert {"type": "null"} in reading["states"]["anyOf"]
    assert document["components"]["schemas"]["TableAnswer"]["properties"]["columns"]["additionalProperties"] == {
        "type": "array",
        "items": {},
    }
