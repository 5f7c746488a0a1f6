"""Rules say what goes; what is cited, approved, in use or a source of something else stays; removals are recorded."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gnomon.ioc.base.config import Config
from gnomon.ioc.base.keeping_config import ResultsConfig, RetentionRule
from gnomon.procedures.results import Results
from gnomon.services.catalogue import Annotation, Catalogue, CatalogueEntry, CatalogueError, write_annotation
from gnomon.services.catalogue.annotations import annotation_file
from gnomon.services.catalogue.retention import Removal, doubt_of_clock, plan_removals, protected_entries, remove
from unit.procedures.test_results import orm_run
from unit.services.catalogue.kept_things import FIRST, SECOND, keep_all, made_places

NOW = datetime(2026, 11, 27, tzinfo=UTC)
NOW_US = int(NOW.timestamp() * 1e6)


def entry(name: str, days: float, procedure: str = "orm", **more: Any) -> CatalogueEntry:
    told = {"kind": "result", "machine": "mls", "size": 1_000_000} | more
    made = (NOW - timedelta(days=days)).isoformat()
    return CatalogueEntry(
        identifier=f"gnomon:{told['kind']}/{name.encode().hex():0>12}", name=name, procedure=procedure, made=made,
        file=f"/results/{name}.h5", **told,
    )  # fmt: skip


ENTRIES = [entry(f"orm-{n}", days=100 - 10 * n) for n in range(10)]  # orm-0 is the oldest


def names(found: Any) -> list[str]:
    return [each.entry.name for each in found]


def test_age_and_size_decide_and_the_newest_stay() -> None:
    by_age = RetentionRule(kind="result", days=45.0)
    going, kept = plan_removals(ENTRIES, [by_age], {}, NOW_US)
    assert names(going) == ["orm-0", "orm-1", "orm-2", "orm-3", "orm-4", "orm-5"]
    assert going[0].reason == "100 days old, more than 45"
    assert not kept
    by_size = RetentionRule(kind="result", megabytes=7.5)
    going, _ = plan_removals(ENTRIES, [by_size], {}, NOW_US)
    assert names(going) == ["orm-0", "orm-1", "orm-2"]
    assert going[-1].reason == "newer ones and it have 8.0 MB, more than 7.5"
    few = RetentionRule(kind="result", days=1.0, newest=3)
    assert names(plan_removals(ENTRIES, [few], {}, NOW_US)[0]) == [f"orm-{n}" for n in range(7)]


def test_a_rule_is_about_its_kind_and_procedures_alone() -> None:
    known = [*ENTRIES, entry("bba-1", 90.0, "bba"), entry("bba-2", 80.0, "bba"), entry("s-1", 90.0, kind="study")]
    rule = RetentionRule(kind="result", procedures=("bba",), days=1.0)
    assert names(plan_removals(known, [rule], {}, NOW_US)[0]) == ["bba-1"]
    two = [rule, RetentionRule(kind="result", days=95.0)]
    assert names(plan_removals(known, two, {}, NOW_US)[0]) == ["bba-1", "orm-0"]
    assert plan_removals(known, [], {}, NOW_US) == ([], [])
    other = entry("other", 200.0, machine="bessy2")  # the newest of its machine
    assert "other" not in names(plan_removals([*known, other], two, {}, NOW_US)[0])


def test_sources_of_what_stays_stay_by_identifier_and_by_name_and_through_what_stays_for_it() -> None:
    fit = entry("fit-1", 1.0, "optics-fit", sources=(ENTRIES[2].identifier,))
    older = entry("fit-0", 99.0, "optics-fit", sources=("orm-0",))
    middle = ENTRIES[2].model_copy(update={"sources": (ENTRIES[1].identifier,)})
    known = [*ENTRIES[:2], middle, *ENTRIES[3:], fit, older]
    going, kept = plan_removals(known, [RetentionRule(kind="result", days=45.0)], {}, NOW_US)
    assert "fit-0" in names(going)
    assert "orm-0" in names(going)  # only what goes was made from it
    assert {each.entry.name: each.reason for each in kept} == {
        "orm-2": "fit-1 was made from it", "orm-1": "orm-2 was made from it"
    }  # fmt: skip


def test_a_clock_is_doubted_when_nothing_that_was_made_is_new() -> None:
    year = 365 * 86_400 * 10**6
    assert doubt_of_clock(ENTRIES, NOW_US) == ""
    assert doubt_of_clock([], NOW_US) == ""
    told = "this computer's clock shows 2029-11-26, but the newest of all data are of 2026-11-17, 1105 days before"
    assert doubt_of_clock(ENTRIES, NOW_US + 3 * year) == told
    later = entry("made-with-a-wrong-clock", -10_000.0)
    assert doubt_of_clock([*ENTRIES, later], NOW_US + 3 * year) == told
    assert doubt_of_clock([*ENTRIES, entry("new", -1094.0)], NOW_US + 3 * year) == ""


def test_protected_data_stay_with_the_reason() -> None:
    rule = RetentionRule(kind="result", days=45.0)
    going, kept = plan_removals(ENTRIES, [rule], {ENTRIES[0].identifier: "it has the tag golden"}, NOW_US)
    assert "orm-0" not in names(going)
    assert [(each.entry.name, each.reason) for each in kept] == [("orm-0", "it has the tag golden")]


def test_tags_dois_and_annotations_that_cannot_be_read_protect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = made_places(tmp_path, monkeypatch)
    keep_all(places)
    first = orm_run(1, FIRST).identifier
    with Catalogue(places) as catalogue:
        second = catalogue.resolve(SECOND).identifier
        assert first not in protected_entries(catalogue)
        write_annotation(places.results, Annotation(identifier=second, doi="10.5281/zenodo.12"))
        annotation_file(places.results, first).write_text("damaged")
        catalogue.update()
        found = protected_entries(catalogue)
    assert found[second] == "it has the DOI 10.5281/zenodo.12"
    assert "cannot be read" in found[str(first)]
    (places.recordings / "bump.000000000000.json").write_text("{}")
    with Catalogue(places) as catalogue, pytest.raises(CatalogueError, match="nothing is removed"):
        protected_entries(catalogue)


def test_an_identifier_of_what_was_removed_tells_what_became_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = made_places(tmp_path, monkeypatch)
    results = Results(places.results)
    path = results.save(orm_run(1, FIRST))
    with Catalogue(places) as catalogue:
        known = catalogue.resolve(FIRST)
        assert remove(places, [Removal(known, "400 days old, more than 365")], "anna") == known.size
        catalogue.update()
        assert not path.exists()
        with pytest.raises(CatalogueError, match=r"was removed at .* by anna: 400 days old, more than 365"):
            catalogue.resolve(known.identifier[:30])
    line = json.loads((places.results / "removed.jsonl").read_text())
    assert line["identifier"] == known.identifier
    outside = known.model_copy(update={"file": str(tmp_path / "documents.sqlite")})
    with pytest.raises(CatalogueError, match="is not in a folder of the catalogue"):
        remove(places, [Removal(outside, "x")], "anna")


def test_a_rule_without_a_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="needs days, megabytes or both"):
        RetentionRule(kind="result")
    with pytest.raises(ValueError, match="snapshot"):
        ResultsConfig.model_validate({"retention": [{"kind": "snapshot", "days": 3}]})
    assert Config().results.retention == ()
