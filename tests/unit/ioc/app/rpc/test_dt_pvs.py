"""`dt:pvs`: which PVs a client is told of, and what about each."""

from typing import Any

import pytest

from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.app.rpc.dt_pvs import PvsProcedure, PvsQueryError
from gnomon.ioc.base.config import AccessConfig, AccessRule
from gnomon.ioc.servers.access import AccessRules
from gnomon.lattice import Client

SPECS = [
    PvSpec(name=f"T:{name}", kind=Kind.FLOAT, source=source, description=description, device=device,
           property="current" if device else "", unit="A" if device else "", writable=source == "set")
    for name, source, description, device in (
        ("QF:set", "set", "setpoint", "QF"),
        ("QF:rdbk", "readback", "", "QF"),
        ("tune:x", "tune.x", "horizontal tune", ""),
    )
]  # fmt: skip
ANNA = Client("anna", "10.1.2.9", "pva")


def names(arguments: dict[str, Any], client: Client = ANNA, access: AccessConfig | None = None) -> list[str]:
    procedure = PvsProcedure(SPECS, "T:", AccessRules(access))
    return list(procedure(arguments, client).result(timeout=0).columns["name"])


def test_the_answer_has_each_pv_with_device_property_and_unit() -> None:
    answer = PvsProcedure(SPECS, "T:", AccessRules())({}, ANNA).result(timeout=0)
    assert dict(answer.columns) == {
        "name": ["T:QF:set", "T:QF:rdbk", "T:tune:x"],
        "source": ["set", "readback", "tune.x"],
        "device": ["QF", "QF", ""],
        "property": ["current", "current", ""],
        "unit": ["A", "A", ""],
        "writable": [True, False, False],
        "description": ["setpoint", "", "horizontal tune"],
    }


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"match": "QF:*"}, ["T:QF:set", "T:QF:rdbk"]),
        ({"match": "T:QF:*"}, ["T:QF:set", "T:QF:rdbk"]),
        ({"match": "qf:*"}, []),
        ({"source": "tune.?"}, ["T:tune:x"]),
        ({"match": "QF:*", "source": "set"}, ["T:QF:set"]),
        ({"match": "tune:x", "source": "set"}, []),
    ],
)
def test_patterns_of_name_and_source_must_both_fit(arguments: dict[str, Any], found: list[str]) -> None:
    given = dict(arguments)
    assert names(arguments) == found
    assert arguments == given  # the caller's own arguments are left alone


def test_the_answer_leaves_out_pvs_that_the_client_may_not_read() -> None:
    access = AccessConfig(
        user_groups={"experts": ("anna",)},
        rules=(AccessRule(pvs=("T:QF:set",), users=("experts",), allow="none"), AccessRule(pvs=("*",), allow="read")),
    )
    assert names({}, ANNA, access) == ["T:QF:rdbk", "T:tune:x"]
    assert names({}, Client("ben", "10.1.2.9", "pva"), access) == ["T:QF:set", "T:QF:rdbk", "T:tune:x"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"pattern": "QF"}, "T:dt:pvs: unknown argument pattern; known arguments: match, source"),
        ({"b": 1, "match": "*", "a": 2}, "T:dt:pvs: unknown argument a, b; known"),
        ({"match": 3}, "T:dt:pvs: '3' is not a pattern of names"),
        ({"source": ["set"]}, "is not a pattern of names"),
    ],
)
def test_a_call_with_other_arguments_is_refused_with_the_reason(arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(PvsQueryError, match=reason):
        names(arguments)


def test_a_long_wrong_pattern_is_shortened() -> None:
    with pytest.raises(PvsQueryError) as refused:
        names({"match": ["x" * 10_000]})
    assert len(str(refused.value)) < 300
