"""Puts and calls over PV Access: who may, what reaches the sink, and what is said otherwise."""

from typing import Any

import pytest
from p4p import Type, Value

from gnomon.ioc.base.config import AccessConfig, AccessRule
from gnomon.ioc.servers.access import AccessRules
from gnomon.ioc.servers.pva.permits import Permits
from gnomon.ioc.servers.pva.structures import type_of
from gnomon.lattice import Client
from unit.ioc.servers.pva.fake_operation import FakeOperation, NotText
from unit.ioc.servers.pva.hosting_stage import Procedure, Stage, pv

SPEC = pv("x", writable=True)
CALL = Value(Type([("do", "s"), ("n", "i")]), {"do": "list", "n": 3})


class Undecodable(NotText, FakeOperation):
    """An operation with bytes that are not text."""


def write(value: float, user: str = "op") -> FakeOperation:
    return FakeOperation(Value(type_of(SPEC), {"value": value}), "x", user)


@pytest.fixture
def procedure() -> Procedure:
    return Procedure()


@pytest.fixture
def stage(procedure: Procedure) -> Stage:
    return Stage(SPEC, pv("y"), rpcs={"x": procedure, "call": procedure})


def test_a_put_reaches_the_sink_with_who_made_it(stage: Stage) -> None:
    operation = write(1.5)
    stage.handler("x").put(None, operation)
    assert stage.sink.puts == [("x", 1.5, Client("op", "10.0.0.7", "pva", "127.0.0.1:40404"))]
    assert operation.ended == "done"


def test_a_put_without_the_value_reaches_the_sink_as_the_fields_that_it_names(stage: Stage) -> None:
    operation = FakeOperation(Value(type_of(SPEC), {"alarm": {"severity": 2}}), "x")
    stage.handler("x").put(None, operation)
    ((_, value, _),) = stage.sink.puts
    assert value.keys() == {"alarm.severity"}
    assert operation.ended == "x got no value."


def test_a_put_by_a_reader_is_refused_before_it_reaches_the_sink(stage: Stage) -> None:
    operation = write(1.5, "guest")
    stage.handler("x").put(None, operation)
    assert operation.ended == "guest@10.0.0.7 may not write x: the server's access rules allow it to read only."
    assert stage.sink.puts == []


@pytest.mark.parametrize(("name", "what"), [("x", "put"), ("x", "rpc"), ("call", "rpc")])
def test_a_text_that_is_not_utf_8_is_refused(stage: Stage, procedure: Procedure, name: str, what: str) -> None:
    operation = Undecodable()
    getattr(stage.handler(name), what)(None, operation)
    assert operation.ended == "a text that is not UTF-8; nothing was changed"
    assert stage.sink.puts == procedure.calls == []


@pytest.mark.parametrize("name", ["x", "call"])
def test_a_call_has_its_arguments_and_the_answer_comes_back(stage: Stage, procedure: Procedure, name: str) -> None:
    operation = FakeOperation(CALL, name)
    stage.handler(name).rpc(None, operation)
    ((arguments, client),) = procedure.calls
    assert (arguments, client.user, client.host) == ({"do": "list", "n": 3}, "op", "10.0.0.7")
    (answer,) = operation.answers
    assert answer["value"] == "called"


def test_a_call_by_a_client_that_may_only_read_is_refused(stage: Stage, procedure: Procedure) -> None:
    operation = FakeOperation(CALL, "call", "guest")
    stage.handler("call").rpc(None, operation)
    assert operation.ended.startswith("guest@10.0.0.7 may not call call:")
    assert procedure.calls == []


def test_a_call_that_would_set_a_pv_needs_the_right_to_write_it() -> None:
    stage = Stage(SPEC, rpcs={"call": (procedure := Procedure("x", "y"))})
    rules = (AccessRule(pvs=("y",), allow="read"), AccessRule(allow="write"))
    stage.hosted.permits = Permits(AccessRules(AccessConfig(rules=rules)))
    operation = FakeOperation(CALL, "call")
    stage.handler("call").rpc(None, operation)
    assert operation.ended.startswith("op@10.0.0.7 may not write y:")
    assert procedure.calls == []
    procedure.sets = ("x",)
    operation = FakeOperation(CALL, "call")
    stage.handler("call").rpc(None, operation)
    assert operation.ended == "done"


def test_a_pv_is_not_called_and_a_procedure_is_not_written(stage: Stage) -> None:
    call: Any = FakeOperation(CALL, "y")
    stage.handler("y").rpc(None, call)
    assert call.ended == "y is not a remote procedure: read, monitor or write it."
    put = FakeOperation(None, "call")
    stage.handler("call").put(None, put)
    assert put.ended == "call is a remote procedure: call it (RPC), it cannot be written."
