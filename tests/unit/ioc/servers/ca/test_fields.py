"""Fields of records: each has the value of the PV, or what an unconfigured record has."""

import numpy as np
import pytest

from gnomon.db.pvs import AlarmLimits, Kind, PvSpec
from gnomon.ioc.outputs.bank import Bank, Severity, Status
from gnomon.ioc.servers.ca import dbr
from gnomon.ioc.servers.ca.fields import ELEMENTS, SEVERITIES, STATUSES, field


def pv(name: str, kind: Kind = Kind.FLOAT, **more: object) -> PvSpec:
    return PvSpec(name=name, kind=kind, source="", description="what it is", **more)  # type: ignore[arg-type]


LIMITED = AlarmLimits(lolo=-3.0, low=-2.0, high=2.0, hihi=3.0)
BANK = Bank(
    [
        pv("x", unit="A", precision=3, drive=(-10.0, 10.0), alarm=LIMITED, record_type="ao"),
        pv("shown", drive=(-10.0, 10.0), display=(-1.0, 1.0), alarm=AlarmLimits(high=0.0)),
        pv("n", Kind.INT, drive=(-1e12, 1e12), unit="turns", record_type="longin"),
        pv("why", Kind.STRING, record_type="stringin"),
        pv("wave", Kind.FLOATS, length=5, record_type="waveform"),
        pv("names", Kind.STRINGS, length=3, record_type="waveform"),
        pv("counts", Kind.INTS, length=2, display=(0.0, 7.0), record_type="waveform"),
        pv("on", Kind.ENUM, states=("no", "yes"), record_type="bo"),
        pv("mode", Kind.ENUM, states=("a", "b", "c"), record_type="mbbi"),
    ],
    0,
)
BANK.publish(
    (np.array([0]), np.array([1.25])),
    {4: np.arange(3.0)},
    time_ns=1_700_000_000_000_000_007,
    generation=2**31 + 5,
    alarms={0: (Severity.MAJOR, Status.HIHI)},
)


def value(pv: str, name: str) -> object:
    index = BANK.index[pv]
    found = field(BANK.specs[index], name)
    got = found.fetch(BANK, index)
    return found.states[got] if found.states else got


@pytest.mark.parametrize(
    ("pv", "name", "expected"),
    [
        ("x", "NAME", "x"), ("x", "DESC", "what it is"), ("x", "RTYP", "ao"), ("x", "EGU", "A"), ("x", "PREC", 3),
        ("x", "DRVL", -10.0), ("x", "DRVH", 10.0), ("x", "LOPR", -10.0), ("x", "HOPR", 10.0),
        ("x", "LOLO", -3.0), ("x", "LOW", -2.0), ("x", "HIGH", 2.0), ("x", "HIHI", 3.0),
        ("x", "LLSV", "MAJOR"), ("x", "LSV", "MINOR"), ("x", "HSV", "MINOR"), ("x", "HHSV", "MAJOR"),
        ("x", "SEVR", "MAJOR"), ("x", "STAT", "HIHI"), ("x", "ACKS", "MAJOR"), ("x", "UDF", 0),
        ("x", "UTAG", 2**31 + 5), ("x", "SCAN", "Passive"), ("x", "MDEL", -1.0),
        ("shown", "LOPR", -1.0), ("shown", "HOPR", 1.0), ("shown", "DRVL", -10.0), ("shown", "DRVH", 10.0),
        ("shown", "HIGH", 0.0), ("shown", "HSV", "MINOR"), ("shown", "HHSV", "NO_ALARM"), ("shown", "LSV", "NO_ALARM"),
        ("n", "EGU", "turns"), ("n", "DRVH", 2**31 - 1), ("n", "DRVL", -(2**31)), ("n", "HYST", 0),
        ("why", "UDF", 1), ("why", "SEVR", "INVALID"), ("why", "STAT", "UDF"),
        ("wave", "NELM", 5), ("wave", "NORD", 3), ("wave", "FTVL", "DOUBLE"),
        ("names", "FTVL", "STRING"), ("names", "NORD", 0), ("counts", "FTVL", "LONG"), ("counts", "HOPR", 7.0),
        ("on", "ZNAM", "no"), ("on", "ONAM", "yes"),
        ("mode", "ZRST", "a"), ("mode", "TWST", "c"), ("mode", "THST", ""), ("mode", "FFST", ""),
    ],
)  # fmt: skip
def test_a_field_has_the_value_of_its_pv(pv: str, name: str, expected: object) -> None:
    assert value(pv, name) == expected


@pytest.mark.parametrize(
    ("pv", "name"),
    [
        ("x", "NELM"), ("x", "ZNAM"), ("x", "INP"), ("n", "PREC"), ("why", "EGU"), ("why", "DRVH"), ("wave", "DRVH"),
        ("wave", "HIHI"), ("names", "EGU"), ("on", "ZRST"), ("mode", "ZNAM"), ("mode", "OUT"), ("x", "desc"), ("x", ""),
    ],
)  # fmt: skip
def test_a_record_has_no_fields_of_other_records(pv: str, name: str) -> None:
    with pytest.raises(KeyError):
        field(BANK.specs[BANK.index[pv]], name)


@pytest.mark.parametrize(("pv", "name"), [("x", "OUT"), ("x", "OMSL"), ("on", "DOL"), ("n", "INP"), ("mode", "INP")])
def test_outputs_have_out_and_inputs_have_inp(pv: str, name: str) -> None:
    assert value(pv, name) == ("supervisory" if name == "OMSL" else "")


def test_limits_of_a_record_of_whole_numbers_are_whole() -> None:
    for name in ("DRVL", "DRVH", "HOPR", "LOPR", "HIHI", "MDEL"):
        assert field(BANK.specs[BANK.index["n"]], name).native == dbr.LONG
        assert isinstance(value("n", name), int)
        assert field(BANK.specs[BANK.index["x"]], name).native == dbr.DOUBLE


def test_the_time_has_all_nanoseconds() -> None:
    assert str(value("x", "TIME")).endswith(":20.000000007")


def test_only_alarm_limits_have_the_display_limits_of_the_value() -> None:
    spec = BANK.specs[0]
    assert {n for n in ("HIHI", "HIGH", "LOW", "LOLO", "DRVH", "HOPR", "HYST") if field(spec, n).ranged} == {
        "HIHI", "HIGH", "LOW", "LOLO",
    }  # fmt: skip


def test_only_proc_processes_the_record() -> None:
    names = ("PROC", "DESC", "SCAN", "UDF", "DRVH", "OUT")
    assert [name for name in names if field(BANK.specs[0], name).processes] == ["PROC"]


def test_menus_have_the_numbers_of_epics() -> None:
    assert [SEVERITIES[severity] for severity in Severity] == [severity.name for severity in Severity]
    assert all(STATUSES[status] == status.name for status in Status)
    assert (ELEMENTS.index("LONG"), ELEMENTS.index("DOUBLE"), ELEMENTS.index("ENUM")) == (5, 10, 11)
