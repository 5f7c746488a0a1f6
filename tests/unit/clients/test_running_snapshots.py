"""Snapshots are compared in what both have, and only those of one machine."""

import pytest

from gnomon.clients.running_snapshots import compare_snapshots, snapshot_document
from gnomon.ioc.base.snapshot_store import StoredSnapshot
from gnomon.recorder import ReviewError
from gnomon.recorder.snapshots import Entry, Signature, Snapshot


def snapshot(machine: str = "toy", *, complete: bool = True, **values: float) -> Snapshot:
    entries = tuple(
        Entry(pv=f"{name}:set", value=value, unit="A", device=name, setting="current", stored=value)
        for name, value in values.items()
    )
    return Snapshot(
        machine=machine, digest="d", prefix="T:", lattice_id="", complete=complete, source="test", comment="",
        signed=Signature(time_ns=1, user="op", host="console"), entries=entries,
    )  # fmt: skip


def test_differences_within_the_tolerance_and_of_one_alone() -> None:
    a, b = snapshot(Q1=1.0, Q2=2.0), snapshot(Q1=1.1, Q2=2.5, Q3=0.5)
    assert compare_snapshots(a, b, ("a", "b"), ["0.2"]) == (("Q2:set", 2.0, 2.5, "A"), ("Q3:set", None, 0.5, "A"))
    imported = snapshot(complete=False, Q1=1.0)
    assert compare_snapshots(imported, b, ("a", "b")) == (("Q1:set", 1.0, 1.1, "A"),)


def test_snapshots_of_two_machines_are_not_compared() -> None:
    with pytest.raises(ReviewError, match="flat is of machine 'toy', now of 'mls'"):
        compare_snapshots(snapshot(), snapshot("mls"), ("flat", "now"))


def test_a_document_has_name_revision_and_number_of_settings() -> None:
    kept = StoredSnapshot("flat", 2, snapshot(Q1=1.0))
    told = snapshot_document(kept, with_entries=False)
    assert (told["name"], told["revision"], told["settings"], "entries" in told) == ("flat", 2, 1, False)
    assert snapshot_document(kept, with_entries=True)["entries"][0]["value"] == 1.0
