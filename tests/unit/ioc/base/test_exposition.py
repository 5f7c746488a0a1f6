"""Figures in Prometheus' text format, as its own client reads them back."""

import math

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gnomon.ioc.base.exposition import Family, exposition, metric_name

AWKWARD = 'T:"\\\n'


def test_the_client_of_prometheus_reads_back_names_meanings_labels_and_values() -> None:
    values = [0.1 + 0.2, -1.0, 2.0**60, math.inf, -math.inf, 1e-300]
    text = exposition(
        [
            Family(
                "a_seconds",
                "first\nline \\ more",
                [({"prefix": AWKWARD, "n": str(i)}, v) for i, v in enumerate(values)],
            ),
            Family("b", "no sample", []),
            Family("c", "no label", [({}, 3.0)]),
        ]
    )
    first, last = text_string_to_metric_families(text)
    assert (first.name, first.documentation, first.type) == ("a_seconds", "first\nline \\ more", "gauge")
    assert [sample.value for sample in first.samples] == values
    assert {sample.labels["prefix"] for sample in first.samples} == {AWKWARD}
    assert (last.name, [sample.value for sample in last.samples]) == ("c", [3.0])


def test_a_value_that_is_not_a_number_is_written_as_such() -> None:
    (family,) = text_string_to_metric_families(exposition([Family("a", "", [({}, math.nan)])]))
    assert math.isnan(family.samples[0].value)


@pytest.mark.parametrize(
    ("source", "unit", "name"),
    [
        ("status.memory", "B", "gnomon_status_memory_bytes"),
        ("model.time", "s", "gnomon_model_time_seconds"),
        ("tune.x", "", "gnomon_tune_x"),
    ],
)
def test_names_have_the_base_unit(source: str, unit: str, name: str) -> None:
    assert metric_name(source, unit) == name
