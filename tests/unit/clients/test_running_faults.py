"""Faults of a running server, as its procedure takes and tells them."""

from collections.abc import Mapping
from typing import Any

from gnomon.clients.running_faults import add_fault, clear_faults, fault_kinds, list_faults


class Server:
    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def call(self, procedure: str, arguments: Mapping[str, Any]) -> Any:
        self.asked.append((procedure, dict(arguments)))
        return self.answer


def test_keys_go_as_texts_and_those_without_a_value_not_at_all() -> None:
    server = Server({"id": 1})
    keys: dict[str, str | float | bool | None] = {
        "device": "HS*",
        "delay_s": 2,
        "scale": 1.5,
        "silent": True,
        "other": False,
        "at": None,
    }
    assert add_fault(server.call, "delay", keys) == {"id": 1}
    texts = {"device": "HS*", "delay_s": "2", "scale": "1.5", "silent": "true", "other": "false"}
    assert server.asked == [("dt:fault", {**texts, "do": "add", "kind": "delay"})]


def test_a_key_cannot_change_what_is_done() -> None:
    server = Server({"id": 1})
    add_fault(server.call, "delay", {"do": "clear", "kind": "abandon"})
    assert server.asked == [("dt:fault", {"do": "add", "kind": "delay"})]


def test_one_fault_or_all_are_cleared_and_listed() -> None:
    server = Server([])
    assert list_faults(server.call) == clear_faults(server.call, 3) == clear_faults(server.call, None) == []
    assert [arguments for _, arguments in server.asked] == [{"do": "list"}, {"do": "clear", "id": "3"}, {"do": "clear"}]


def test_kinds_have_their_schema() -> None:
    (kind,) = fault_kinds(Server([{"kind": "delay", "schema": '{"type": "object"}'}]).call)
    assert kind == {"kind": "delay", "schema": {"type": "object"}}
