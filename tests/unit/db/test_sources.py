"""The registry of sources: frozen, each named once, and what shipped PV documents use of it."""

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from each_case import each_case

from gnomon.db import shipped_machine, sources
from gnomon.db.machines import pv_document, shipped_pv_documents
from gnomon.db.pvs import Kind
from gnomon.db.sources import SOURCES, Length, Planes, Source, is_control
from gnomon.db.templates import PvTemplate, expand, read_pvs
from gnomon.lattice import Ring, parse_machine
from unit.lattice import small_ring

TEMPLATES = [placed.template for name in shipped_pv_documents() for placed in read_pvs(name, pv_document)]
#: For facilities that serve differences monitor by monitor.
IN_NO_SHIPPED_DOCUMENT = {source.name for source in sources.MONITOR_DIFFERENCE}
#: How many of a unit make one of another.
PER_UNIT = {
    ("m", "mm"): 1e3, ("m", "um"): 1e6, ("m", "nm"): 1e9, ("s", "ms"): 1e3, ("Hz", "kHz"): 1e-3, ("B", "MB"): 1e-6,
}  # fmt: skip


def entries() -> list[Source]:
    """Every entry that the module has a name for."""
    found: list[Source] = []
    for value in vars(sources).values():
        found += [value] if isinstance(value, Source) else value if isinstance(value, Planes) else []
    return found


def test_every_entry_is_registered_under_a_name_of_its_own() -> None:
    assert {source.name: source for source in entries()} == dict(SOURCES)
    assert len(entries()) == len(SOURCES)


def test_the_registry_of_sources_cannot_be_changed_at_run_time() -> None:
    with pytest.raises(TypeError):
        SOURCES["tune.z"] = sources.TUNE.x  # type: ignore[index]
    with pytest.raises(FrozenInstanceError):
        sources.TUNE.x.unit = "Hz"  # type: ignore[misc]


def test_shipped_pvs_use_all_sources_but_those_for_other_facilities() -> None:
    assert SOURCES.keys() - {template.source for template in TEMPLATES} == IN_NO_SHIPPED_DOCUMENT


def units(template: PvTemplate) -> tuple[str, str]:
    return SOURCES[template.source].unit, template.unit or ""


@each_case([t for t in TEMPLATES if SOURCES[t.source].unit], lambda t: t.pv)
def test_units_and_scales_of_shipped_pvs_follow_from_the_units_of_their_sources(template: PvTemplate) -> None:
    own, shown = units(template)
    assert template.scale == (1.0 if own == shown else PER_UNIT[own, shown])


def test_templates_give_no_unit_to_values_without_one() -> None:
    properties = (sources.SET.name, sources.READBACK.name)
    assert [t.pv for t in TEMPLATES if not units(t)[0] and units(t)[1] and t.source not in properties] == []


@each_case(SOURCES.values(), lambda source: source.name)
def test_an_entry_says_what_a_reader_and_a_panel_need(source: Source) -> None:
    assert source.title
    assert len(source.label) <= 24
    assert bool(source.columns) is (source.kind is Kind.TABLE)
    assert set(source.scaled) <= {name for name, _, _ in source.columns}
    assert (source.length.of(shipped_machine("mls")) > 1) is (
        source.kind in (Kind.FLOATS, Kind.INTS, Kind.STRINGS, Kind.TABLE)
    )


def test_every_setting_of_the_registry_is_listed_and_none_is_a_control() -> None:
    assert {name for name, source in SOURCES.items() if source.setting} == sources.SETTING
    assert not any(is_control(name) for name in sources.SETTING)


def test_a_length_follows_the_ring_and_reads_like_a_sum() -> None:
    ring = Ring(parse_machine(small_ring.text(), "ring.json"))
    length = Length(fixed=1, per_monitor=2, per_element=1)
    assert length.of(ring) == 1 + 2 * len(ring.bpms) + len(ring.elements)
    assert str(length) == "2 x monitors + elements + 1"
    assert str(Length(fixed=64)) == "64"


def test_the_averaging_time_of_a_reading_is_that_of_its_template_or_of_its_kind(tmp_path: Path) -> None:
    ring = shipped_machine("mls")
    specs = {spec.name: spec for spec in expand(read_pvs("mls", pv_document), ring, "")}
    times = {source: {spec.averaging_s for spec in specs.values() if spec.source == source} for source in SOURCES}
    assert times["monitor.x"] == times["monitor.y"] == {0.1}
    assert times["tune.fraction.x"] == times["tune.frequency.y"] == times["beam.current"] == {1.0}
    assert times["set"] == times["readback"] == times["beam.lifetime.10s"] == {0.0}
    document = tmp_path / "own.pvs.json"
    text = '{"schema": "gnomon.pvs/1", "name": "own", "pvs": [{"pv": "q", "source": "tune.x", "description": "q"%s}]}'
    for more, time_s in (("", 1.0), (', "averaging_s": 2.5', 2.5), (', "averaging_s": 0', 0.0)):
        document.write_text(text % more)
        (spec,) = expand(read_pvs("own", lambda _: document), ring, "")
        assert spec.averaging_s == time_s
