"""Meanings of names: PVs, fields, long strings, filters."""

import numpy as np
import pytest

from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.outputs.bank import Bank
from gnomon.ioc.servers.ca import dbr
from gnomon.ioc.servers.ca.directory import Directory, Hosted
from gnomon.ioc.servers.ca.points import find, put_value
from system.fake_sink import FakeSink


def pv(name: str, kind: Kind = Kind.FLOAT, **more: object) -> PvSpec:
    return PvSpec(name=name, kind=kind, source="", description="what it is", **more)  # type: ignore[arg-type]


BANK = Bank(
    [
        pv("A:x"), pv("A:why", Kind.STRING), pv("A:wave", Kind.FLOATS, length=5), pv("A:table", Kind.TABLE),
        pv("A{PS:1}x"), pv("A[2]"), pv("A.b"), pv("A:mode", Kind.ENUM, states=("off", "on")), pv("A:n", Kind.INT),
    ],
    0,
)  # fmt: skip
BANK.publish((np.array([0, 8]), np.array([1.25, 2**31 + 5])), {1: "z" * 60, 2: np.arange(3.0)}, time_ns=1, generation=1)


@pytest.mark.parametrize(
    ("name", "native", "value"),
    [
        ("A:x", dbr.DOUBLE, 1.25),
        ("A:x.", dbr.DOUBLE, 1.25),
        ("A:x.VAL", dbr.DOUBLE, 1.25),
        ("A:x.DESC", dbr.STRING, "what it is"),
        ("A:x.DESC$", dbr.CHAR, b"what it is\0"),
        ("A:why$", dbr.CHAR, b"z" * 60 + b"\0"),
        ("A:why.VAL$", dbr.CHAR, b"z" * 60 + b"\0"),
        ("A:n", dbr.LONG, 5 - 2**31),  # wraps around
        ("A:wave.NORD", dbr.DOUBLE, 3),
        ("A:wave.NELM", dbr.DOUBLE, 5),
        ("A:mode.ONST", dbr.STRING, "on"),
        ("A:mode.FFST", dbr.STRING, ""),
        ('A{PS:1}x{"ts":{}}', dbr.DOUBLE, 0.0),
        ("A[2]", dbr.DOUBLE, 0.0),
        ("A[2].DESC", dbr.STRING, "what it is"),
        ("A.b", dbr.DOUBLE, 0.0),
        ("A.b.NAME", dbr.STRING, "A.b"),
    ],
)
def test_names_stand_for_values_and_fields(name: str, native: int, value: object) -> None:
    point = find(BANK, name)
    assert (point.native, point.state(BANK).value) == (native, value)


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "$", "{}", "A", "A:x$", "A:x.NOPE", "A:x.EGU.VAL", "A:table", "A:table.VAL", "A:wave.VAL$",
        "A:mode.ZNAM",
        "A:x.PREC$", 'A:x{"nope":{}}', "A:x[", "A:x]", "A:x{}}", "A:x" + "[" * 300 + "]",
        "A:x" + '{"arr":' * 60 + "}" * 60, "A:x" + "{}" * 200, 'A:x{"ts":{}}{"ts":{}}',
    ],
)  # fmt: skip
def test_other_names_stand_for_nothing(name: str) -> None:
    with pytest.raises(KeyError):
        find(BANK, name)


def test_searches_leave_no_names_in_memory() -> None:
    directory = Directory()
    directory.hosted.append(Hosted(BANK, FakeSink(BANK)))
    for number in range(1000):
        assert directory.search_delay_s(f"A:nobody{number}") is None
        assert directory.search_delay_s(f"A:wave[{number}:{number}]") == 0.0
    assert directory.search_delay_s("A:x") == 0.0
    assert directory.search_delay_s("A:x" + " " * 10_000) is None
    assert list(directory.hosted[0]._points) == ["A:x"]


@pytest.mark.parametrize(
    ("data_type", "values", "wanted"),
    [
        (dbr.STRING, ["on"], 1), (dbr.STRING, ["1"], 1), (dbr.STRING, ["none"], "none"), (dbr.ENUM, [1], 1),
        (dbr.CHAR, list(b"off\0\0"), 0), (dbr.DOUBLE, [1.0, 2.0], [1.0, 2.0]), (dbr.DOUBLE, [], []),
    ],
)  # fmt: skip
def test_states_are_put_by_name_or_number(data_type: int, values: list, wanted: object) -> None:
    assert put_value(BANK.specs[7], data_type, values) == wanted
