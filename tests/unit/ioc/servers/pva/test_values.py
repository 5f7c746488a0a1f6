"""Values between bank and wire: alarms by name, metadata by kind, arguments as plain Python."""

import math
from concurrent.futures import CancelledError
from typing import Any

import pytest
from p4p import Type, Value
from p4p.nt import NTURI

from gnomon.db.pvs import AlarmLimits, Kind, PvSpec
from gnomon.ioc.outputs.bank import Reading, Severity, Status
from gnomon.ioc.servers.pva.alarms import MESSAGE, ORIGIN
from gnomon.ioc.servers.pva.operations import arguments_of, reason_of
from gnomon.ioc.servers.pva.structures import type_of
from gnomon.ioc.servers.pva.values import opening, written
from gnomon.lattice import GnomonError


def _spec(kind: Kind, **fields: Any) -> PvSpec:
    return PvSpec(name="T:pv", kind=kind, source="", description="", **fields)


def _reading(value: Any) -> Reading:
    return Reading(value, Severity.NO_ALARM, Status.NO_ALARM, 1_700_000_000_123_456_789, 3)


@pytest.mark.parametrize("status", Status)
def test_every_status_has_an_origin_and_a_name(status: Status) -> None:
    assert MESSAGE[status] == status.name
    assert (ORIGIN[status] == 0) is (status is Status.NO_ALARM)


@pytest.mark.parametrize(
    ("status", "origin"), [(Status.HIHI, 1), (Status.WRITE, 1), (Status.TIMEOUT, 2), (Status.UDF, 2), (Status.CALC, 3)]
)
def test_origins_are_those_of_qsrv(status: Status, origin: int) -> None:
    assert ORIGIN[status] == origin


def test_a_missing_limit_is_nan_without_severity() -> None:
    value = opening(_spec(Kind.FLOAT, alarm=AlarmLimits(hihi=5.0)), _reading(1.0))
    assert math.isnan(value["valueAlarm.lowAlarmLimit"])
    assert value["valueAlarm.lowAlarmSeverity"] == 0
    assert (value["valueAlarm.highAlarmLimit"], value["valueAlarm.highAlarmSeverity"]) == (5.0, 2)


def test_limits_of_an_int_are_ints() -> None:
    value = opening(_spec(Kind.INT, display=(-math.inf, math.inf)), _reading(1))
    assert value["display.limitHigh"] == 2**63 - 1
    assert value["display.limitLow"] == -(2**63 - 1)
    assert value["valueAlarm.lowAlarmLimit"] == 0


def test_without_display_limits_the_drive_limits_show() -> None:
    value = opening(_spec(Kind.FLOAT, drive=(0.0, 150.0)), _reading(1.0))
    assert (value["display.limitLow"], value["display.limitHigh"]) == (0.0, 150.0)


def test_pvs_alike_share_their_type() -> None:
    assert type_of(_spec(Kind.FLOAT)) is type_of(_spec(Kind.FLOAT, unit="A"))
    columns = (("x", "x", "float"),)
    assert type_of(_spec(Kind.TABLE, columns=columns)) is not type_of(_spec(Kind.TABLE))


def test_a_missing_column_is_empty() -> None:
    spec = _spec(Kind.TABLE, columns=(("x", "x", "float"), ("name", "n", "string")))
    assert list(opening(spec, _reading({"x": [1.0]}))["value.name"]) == []


def test_a_written_table_is_a_dict_of_columns() -> None:
    spec = _spec(Kind.TABLE, columns=(("x", "x", "float"),))
    value = Value(type_of(spec), {"value": {"x": [1.0, 2.0]}})
    assert written(spec, value)["x"].tolist() == [1.0, 2.0]


def test_arguments_keep_a_field_that_happens_to_be_called_query() -> None:
    assert arguments_of(Value(Type([("query", "s")]), {"query": "x"})) == {"query": "x"}
    assert arguments_of(NTURI([("query", "s")]).wrap("T:call", kws={"query": "x"})) == {"query": "x"}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (GnomonError("no such device"), "no such device"),
        (GnomonError(), "internal error: GnomonError"),
        (KeyError("x"), "internal error: KeyError: 'x'"),
        (CancelledError(), "the server stopped before this was complete"),
    ],
)
def test_a_client_reads_why(error: BaseException, reason: str) -> None:
    assert reason_of(error) == reason
