"""Faults in the hands of a test, over a server that the test made up."""

from collections.abc import Mapping
from typing import Any

import pytest

from gnomon.clients.errors import RefusedError
from gnomon.testing.faults import Faults


class FakeServer:
    """`dt:fault` of a server."""

    def __init__(self) -> None:
        self.asked: list[Mapping[str, Any]] = []
        self.active: dict[int, str] = {}

    def call(self, procedure: str, arguments: Mapping[str, Any]) -> Any:
        assert procedure == "dt:fault"
        self.asked.append(arguments)
        match arguments["do"]:
            case "add":
                if arguments["kind"] == "abandn":
                    raise RefusedError("invalid fault: kind: abandn is not a kind; did you mean abandon?")
                number = len(self.asked)
                self.active[number] = f"fault {number}: {arguments['kind']}"
                return {"id": number, "text": self.active[number]}
            case "clear" if "id" in arguments:
                if self.active.pop(int(arguments["id"]), None) is None:
                    raise RefusedError("there is no fault of this number")
            case "clear":
                self.active.clear()
        return [{"id": number, "text": text} for number, text in self.active.items()]


def test_keys_go_as_the_command_line_sends_them() -> None:
    server = FakeServer()
    Faults(server.call)("modify", "HS*", scale=1.1, count=3, probability=0.5)
    assert server.asked == [
        {"do": "add", "kind": "modify", "device": "HS*", "scale": "1.1", "count": "3", "probability": "0.5"}
    ]  # fmt: skip
    Faults(server.call)("beam_dump")
    assert server.asked[-1] == {"do": "add", "kind": "beam_dump"}


def test_a_fault_ends_with_its_block_or_when_it_is_cleared_and_only_once() -> None:
    server = FakeServer()
    faults = Faults(server.call)
    with faults("delay", "HS*", delay_s=2.0) as fault:
        assert faults.active()[0] == fault.text
        assert faults.active() == ["fault 1: delay"]
    assert faults.active() == []
    assert not fault.active
    fault.clear()
    faults("abandon", "HS*")
    faults.clear()
    assert faults.active() == []


def test_a_refusal_has_the_server_s_reason_and_nothing_else() -> None:
    with pytest.raises(RefusedError, match="did you mean abandon") as raised:
        Faults(FakeServer().call)("abandn", "HS*")
    assert raised.value.__suppress_context__
