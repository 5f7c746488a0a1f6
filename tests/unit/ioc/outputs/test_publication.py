"""A publication scales what it is given, and goes out at once."""

from typing import Any

import numpy as np
import pytest

from gnomon.db import sources
from gnomon.db.pvs import AlarmLimits, Kind, PvSpec
from gnomon.ioc.outputs.bank import Bank, Severity, Status
from gnomon.ioc.outputs.publication import Publication


def pv(name: str, kind: Kind = Kind.FLOAT, **more: Any) -> PvSpec:
    return PvSpec(name=name, kind=kind, **({"source": "", "description": ""} | more))


@pytest.fixture
def bank() -> Bank:
    return Bank(
        [
            pv("x", scale=1e3, offset=0.5, alarm=AlarmLimits(high=3.0)),
            pv("n", Kind.INT),
            pv("wave", Kind.FLOATS, scale=1e6),
            pv("counts", Kind.INTS, scale=1e9),
            pv("why", Kind.STRING),
            pv("table", Kind.TABLE, scale=1e3, source=sources.MONITOR_MODEL.name),
            pv("plain", Kind.TABLE),
        ],
        0,
    )


def test_values_are_scaled_to_the_units_of_their_pvs(bank: Bank) -> None:
    made = Publication(bank)
    made.put(0, 0.002)
    made.put(1, True)
    made.put(2, [1e-6, -2.5e-6])
    made.put(3, [0.0015e-6, -0.0025e-6, 2.6e-9])
    made.put(4, "no beam")
    made.send(7, 3)
    assert bank.values[:2].tolist() == [2.5, 1.0]
    assert bank.objects[2] == pytest.approx([1.0, -2.5])
    assert bank.objects[3].tolist() == [2, -2, 3]
    assert bank.objects[3].dtype == np.int32
    assert bank.objects[4] == "no beam"
    assert bank.time_ns[:5].tolist() == [7] * 5
    assert bank.generation.tolist() == [3] * 5 + [0, 0]


def test_arrays_of_a_table_are_scaled_and_lists_are_not(bank: Bank) -> None:
    made = Publication(bank)
    columns = {"name": ["a", "b"], "x": np.array([0.001, 0.002])}
    made.put(5, columns)
    made.put(6, columns)
    made.send(0, 0)
    assert bank.objects[5]["x"] == pytest.approx([1.0, 2.0])
    assert bank.objects[5]["name"] == ["a", "b"]
    assert bank.objects[6] is columns


def test_columns_of_the_source_are_scaled_in_a_table_with_several_units() -> None:
    bank = Bank([pv("orbit", Kind.TABLE, scale=1e3, source=sources.MONITOR_TABLE.name)], 0)
    made = Publication(bank)
    made.put(0, {"BPM": ["a"], "X": np.array([0.001]), "Y": np.array([0.002]), "A": np.array([1.0])})
    made.send(0, 0)
    shown = bank.objects[0]
    assert (shown["BPM"], shown["X"][0], shown["Y"][0], shown["A"][0]) == (["a"], 1.0, 2.0, 1.0)


def test_a_publication_knows_which_pvs_it_has_a_value_for(bank: Bank) -> None:
    made = Publication(bank)
    made.put(0, 1.0)
    made.put(4, "no beam")
    assert [made.has(i) for i in range(5)] == [True, False, False, False, True]


def test_a_value_in_the_pv_s_own_unit_is_not_scaled_again(bank: Bank) -> None:
    made = Publication(bank)
    made.put_own(0, 2.0)
    made.put_many(np.array([1]), np.array([9.0]))
    made.send(0, 0)
    assert bank.values[:2].tolist() == [2.0, 9.0]


def test_an_alarm_that_is_given_stands_above_the_limits_of_the_pv(bank: Bank) -> None:
    made = Publication(bank)
    made.put(0, 1.0, (Severity.MAJOR, Status.STATE))
    made.put_own(1, 0.0)
    made.send(0, 0)
    assert (bank.severity[0], bank.status[0]) == (Severity.MAJOR, Status.STATE)
    made = Publication(bank)
    made.put(0, 1.0)
    made.send(0, 0)
    assert (bank.severity[0], bank.status[0]) == (Severity.MINOR, Status.HIGH)
    assert bank.severity[1] == Severity.NO_ALARM


def test_a_publication_announces_all_changes_once_and_an_invalid_value_keeps_its_number(bank: Bank) -> None:
    first = Publication(bank)
    first.put_own(1, 5.0)
    first.send(1, 1)
    told: list[list[int]] = []
    bank.listen(lambda indices: told.append(indices.tolist()))
    made = Publication(bank)
    made.put_own(0, 1.0)
    made.put(4, "lost")
    made.send(2, 2, invalid=np.array([1]))
    assert [sorted(indices) for indices in told] == [[0, 1, 4]]
    reading = bank.reading(1)
    assert (reading.value, reading.severity, reading.time_ns) == (5, Severity.INVALID, 1)
