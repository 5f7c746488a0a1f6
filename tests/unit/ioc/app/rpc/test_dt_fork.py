"""`dt:fork`: what each call asks of the forks, and what is refused."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from patience import PATIENCE_S

from gnomon.ioc.app.forks import ForkError, ForkRequest, Forks
from gnomon.ioc.app.rpc.dt_fork import ForkProcedure, parse_fork_request
from gnomon.ioc.app.twin import Twin
from unit.ioc.rig import CLIENT


@dataclass(eq=False)
class FakeFork:
    name: str
    twin: object = None
    origin: str = "T:"

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name}


@dataclass
class FakeForks:
    forks: list[FakeFork] = field(default_factory=list)
    calls: list[tuple[Any, ...]] = field(default_factory=list)

    def all(self) -> tuple[FakeFork, ...]:
        return tuple(self.forks)

    async def add(self, *call: Any) -> FakeFork:
        self.calls.append(("add", *call))
        return FakeFork(call[1].name)

    async def drop(self, *call: Any) -> FakeFork:
        self.calls.append(("drop", *call))
        return FakeFork(call[0])


TWIN = object()


async def ask(forks: FakeForks, arguments: dict[str, Any]) -> Any:
    procedure = ForkProcedure(cast("Twin", TWIN), cast("Forks", forks))
    # A server calls it in a thread of its own.
    future = await asyncio.to_thread(procedure, arguments, CLIENT)
    text: str = await asyncio.wait_for(asyncio.wrap_future(future), PATIENCE_S)
    return text


async def test_add_makes_a_fork_of_the_twin_that_was_called() -> None:
    forks = FakeForks()
    arguments = {"do": "add", "name": "A", "snapshot": "monday"}
    assert await ask(forks, arguments) == {"name": "A"}
    assert forks.calls == [("add", TWIN, ForkRequest("A", "A:", snapshot="monday"), CLIENT)]
    assert arguments["do"] == "add"  # the caller's own arguments are left alone


@pytest.mark.parametrize("arguments", [{}, {"do": "list"}])
async def test_list_is_what_is_done_when_nothing_is_asked(arguments: dict[str, str]) -> None:
    forks = FakeForks([FakeFork("A"), FakeFork("B")])
    assert await ask(forks, arguments) == [{"name": "A"}, {"name": "B"}]
    assert forks.calls == []


async def test_a_fork_drops_another_one_but_never_itself() -> None:
    forks = FakeForks([FakeFork("A", TWIN), FakeFork("B")])
    assert await ask(forks, {"do": "drop", "name": "B"}) == {"name": "B"}
    with pytest.raises(ForkError, match="cannot drop itself; call dt:fork of 'T:'"):
        await ask(forks, {"do": "drop", "name": "A"})
    assert forks.calls == [("drop", "B", CLIENT)]


@pytest.mark.parametrize("do", ["remove", "", 3, ["add"], "x" * 10_000])
async def test_a_call_for_an_unknown_action_is_refused_in_a_short_message(do: object) -> None:
    forks = FakeForks()
    with pytest.raises(ForkError, match="must be add, list or drop") as refused:
        await ask(forks, {"do": do})
    assert len(str(refused.value)) < 200
    assert forks.calls == []


@pytest.mark.parametrize(
    ("nominal", "read"),
    [
        ("1", True), ("true", True), ("YES", True), (True, True), (1, True), (1.0, True),
        ("", False), ("0", False), ("False", False), ("no", False), (False, False), (0, False), (0.0, False),
    ],
)  # fmt: skip
def test_nominal_is_yes_or_no(nominal: object, read: bool) -> None:
    assert parse_fork_request({"name": "A", "nominal": nominal}).nominal is read


@pytest.mark.parametrize("nominal", ["ture", "on?", "2", 2, 0.5, float("nan"), [1], "x" * 10_000])
def test_a_nominal_that_is_neither_is_refused_and_not_taken_for_no(nominal: object) -> None:
    with pytest.raises(ForkError, match=r"nominal = .*: it must be true or false") as refused:
        parse_fork_request({"name": "A", "nominal": nominal})
    assert len(str(refused.value)) < 200


def test_the_prefix_is_the_name_unless_one_is_given() -> None:
    assert parse_fork_request({"name": "A"}) == ForkRequest("A", "A:")
    assert parse_fork_request({"name": "A", "prefix": ""}).prefix == ""


@pytest.mark.parametrize("key", ["name", "prefix", "snapshot", "lattice"])
def test_an_argument_that_must_be_a_text_is_refused_as_a_number(key: str) -> None:
    with pytest.raises(ForkError, match=rf"{key} = .3.: it must be a text"):
        parse_fork_request({"name": "A", key: 3})


def test_an_unknown_argument_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ForkError, match="argument of add: nomnal; known arguments: name, prefix, nominal"):
        parse_fork_request({"name": "A", "nomnal": "true"})
