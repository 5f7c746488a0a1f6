"""The arguments of a call, whatever it brings."""

from typing import Any

import pytest
from p4p import Type, Value

from gnomon.ioc.servers.pva.operations import arguments_of

URI = Type([("scheme", "s"), ("path", "s"), ("query", ("S", None, [("do", "s")]))], id="epics:nt/NTURI:1.0")


class Bare:
    """A value as p4p gives it when a call brings nothing, or one value without a name."""

    def __init__(self, content: Any) -> None:
        self._content = content

    def todict(self) -> Any:
        if self._content is None:
            raise RuntimeError("Null Value")
        return self._content

    def getID(self) -> str:
        return ""


def test_arguments_are_the_query_of_a_uri_or_the_fields_of_a_structure() -> None:
    assert arguments_of(Value(URI, {"path": "x", "query": {"do": "list"}})) == {"do": "list"}
    assert arguments_of(Value(Type([("do", "s")]), {"do": "list"})) == {"do": "list"}


@pytest.mark.parametrize("content", [None, True, 1.5, {"scheme": "", "path": "", "query": 3}])
def test_a_value_without_field_names_is_not_an_argument(content: Any) -> None:
    assert arguments_of(Bare(content)) == {}
