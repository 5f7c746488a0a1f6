"""PVs without a ring: values that fit, puts that are refused, and what is published is what a client reads."""

from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest

from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.base.config import Config
from gnomon.ioc.servers.own_pvs import OwnPvs, PutFuture, PutReply, fitting
from gnomon.lattice import Client

CLIENT = Client("op", "console", "ca")


def spec(name: str, kind: Kind, **more: Any) -> PvSpec:
    return PvSpec(name=f"P:{name}", kind=kind, source="test", description="a test", **more)


TEXT, NUMBER, WHOLE = spec("text", Kind.STRING, writable=True), spec("number", Kind.FLOAT), spec("whole", Kind.INT)
BUTTON = spec("button", Kind.ENUM, states=("off", "on"), writable=True)


@pytest.mark.parametrize(
    ("of", "given", "found"),
    [
        (TEXT, "a text", "a text"), (TEXT, 3, "3"), (NUMBER, "1.5", 1.5), (NUMBER, "x", None), (NUMBER, "nan", None),
        (WHOLE, 2.0, 2), (WHOLE, 2.5, None), (BUTTON, "on", 1), (BUTTON, 1, 1), (BUTTON, "1", 1), (BUTTON, 2, None),
        (BUTTON, -1, None), (WHOLE, [7], 7), (WHOLE, [7, 8], None), (NUMBER, np.array([0.5]), 0.5),
    ],
)  # fmt: skip
def test_values_are_taken_as_the_pv_has_them_or_not_at_all(of: PvSpec, given: Any, found: Any) -> None:
    assert fitting(of, given) == found


async def test_puts_reach_the_function_unless_they_do_not_fit() -> None:
    taken: list[tuple[str, Any]] = []

    def take(name: str, value: Any, client: Client, future: PutFuture) -> None:
        taken.append((name, value))
        future.set_result(PutReply(True))

    pvs = OwnPvs([TEXT, NUMBER, BUTTON], "P:", Config(), take)
    pvs.publish({"text": "hello", "number": 2.5, "button": 0})
    assert (pvs.value("text"), pvs.value("number"), pvs.value("button")) == ("hello", 2.5, 0)
    replies: list[Future[PutReply]] = [pvs.put(2, "on", CLIENT), pvs.put(1, 3.0, CLIENT), pvs.put(2, "x", CLIENT)]
    accepted, read_only, wrong = (reply.result(0) for reply in replies)
    assert accepted.accepted
    assert read_only.message == "P:number is read-only; nothing was changed"
    assert wrong.message == "P:button = 'x': not one of off, on; nothing was changed"
    assert taken == [("button", 1)]
