"""Remote procedures: arguments in, a text or a reason out."""

import os
import subprocess
import sys

import numpy as np
import pytest
from p4p import Type, Value
from p4p.client.thread import Context, RemoteError
from p4p.nt import NTURI
from patience import PATIENCE_S

from system.pva.stage import Served


def test_a_query_becomes_plain_arguments(client: Context) -> None:
    uri = NTURI([("names", "as"), ("values", "ad"), ("note", "s"), ("count", "l")])
    query = {"names": ["Q1PDR", "Q2PDR"], "values": np.array([1.0, 2.5]), "note": "both", "count": 3}
    reply = client.rpc("T:call", uri.wrap("T:call", kws=query))
    assert reply.getID() == "epics:nt/NTScalar:1.0"
    assert reply.value == "{'count': 3, 'names': ['Q1PDR', 'Q2PDR'], 'note': 'both', 'values': [1.0, 2.5]}"


def test_a_plain_structure_works_like_a_query(client: Context) -> None:
    argument = Value(Type([("x", "d"), ("deep", ("S", None, [("y", "ad")]))]), {"x": 1.5, "deep.y": [2.0]})
    assert client.rpc("T:call", argument).value == "{'deep': {'y': [2.0]}, 'x': 1.5}"


def test_a_call_without_arguments_works(client: Context) -> None:
    assert client.rpc("T:call", NTURI([]).wrap("T:call")).value == "{}"


def test_a_failure_reaches_the_caller_in_our_words(client: Context) -> None:
    with pytest.raises(RemoteError, match=r"^Q1PDR current = 900 A is above its limit 150 A; nothing has changed\.$"):
        client.rpc("T:call", NTURI([("fail", "?")]).wrap("T:call", kws={"fail": True}))


def test_the_command_line_client_works(served: Served) -> None:
    command = [sys.executable, "-W", "ignore", "-m", "p4p.client.cli", "--raw", "rpc", "T:call", "device=Q1PDR"]
    environ = os.environ | dict(served.endpoint.client_variables)
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert "{'device': 'Q1PDR'}" in done.stdout, done.stderr
    assert done.returncode == 0


def test_a_procedure_can_be_read_but_not_written(client: Context) -> None:
    assert "call it" in client.get("T:call")["display.description"]
    with pytest.raises(RemoteError, match="cannot be written"):
        client.put("T:call", "x")


def test_a_plain_pv_cannot_be_called(client: Context) -> None:
    with pytest.raises(RemoteError, match="not a remote procedure"):
        client.rpc("T:current", NTURI([]).wrap("T:current"))


def test_numbers_are_still_unwrapped_after_a_call_with_types(served: Served) -> None:
    # p4p 4.3 leaves values wrapped for good after an answer of a type without a name.
    conf = dict(served.endpoint.client_variables)
    with Context("pva", conf=conf, useenv=False) as context:
        before = float(context.get("T:current"))
        answer = context.rpc("T:call", NTURI([("fields", "d")]).wrap("T:call", kws={"fields": 1.0}))
        assert answer.raw["answer.number"] == 3
        assert float(context.get("T:current")) == before
