"""One of each kind in a folder, as commands leave them, and the catalogue's places of it."""

from pathlib import Path

import numpy as np
import pytest

from gnomon.db import shipped_machine
from gnomon.ioc.base import snapshot_store
from gnomon.ioc.base.config import Config, StoreConfig
from gnomon.lattice.identifiers import Identifier
from gnomon.procedures.results import STUDIES, Results
from gnomon.propagator.studies import Quantity, StudyResult, signed, write_result
from gnomon.recorder.recordings import Recording, RecordingFile, RecordingFolder
from gnomon.recorder.snapshots import Entry, Signature, Snapshot
from gnomon.services.catalogue import CataloguePlaces
from unit.procedures.test_results import orm_run
from unit.recorder.recordings.samples import make_recording

FIRST, SECOND = "orm-20261127T100000.000", "orm-20261127T110000.000"
STUDY = "study-tune-20261127T120000.000"


def made_places(folder: Path, monkeypatch: pytest.MonkeyPatch) -> CataloguePlaces:
    """Places below a folder, with nothing in them."""
    monkeypatch.setenv("GNOMON_RECORDINGS", str(folder / "recordings"))
    monkeypatch.setenv("GNOMON_CALIBRATIONS", str(folder / "calibrations"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    config = Config(machine="mls", store=StoreConfig(path=folder / "documents.sqlite"))
    return CataloguePlaces(folder / "results", config)


def tune_study() -> StudyResult:
    """A small study of the MLS."""
    found = StudyResult(
        "tune", {"machine": "mls", "lattice": "ab12", "gnomon": "0"}, {"plane": ("x", "y")},
        {"tune": Quantity(np.array([3.178, np.nan]), "1", ("plane",)),
         "reached": Quantity(np.array(True), "1")},
    )  # fmt: skip
    lattice = shipped_machine("mls").nominal
    return signed(found, lattice, user="anna", made="2026-11-27T12:00:00.000+00:00", note="a study")


def snapshot() -> Snapshot:
    """A snapshot of one setting."""
    return Snapshot(
        machine="mls", digest=shipped_machine("mls").digest, prefix="M:", lattice_id="cd34", complete=True,
        source="run 1", comment="before the bump", signed=Signature(time_ns=10**18, user="bert", host="here"),
        entries=(Entry(pv="Q1P1K1RP:set", value=1.0, unit="A", device="Q1P1K1RP", setting="current", stored=1.0),),
    )  # fmt: skip


def keep_all(places: CataloguePlaces) -> Recording:
    """Keep two runs, a study, a recording and two revisions of a snapshot; returns the recording."""
    results = Results(places.results)
    first = orm_run(1, FIRST)
    results.save(first)
    second = orm_run(2, SECOND)
    told = second.provenance.model_copy(update={"sources": (str(first.identifier),), "user": "carla", "proposal": "P7"})
    results.save(second.model_copy(update={"provenance": told}))
    places.studies.mkdir()
    write_result(tune_study(), places.results / STUDIES / f"{STUDY}.h5")
    recording = make_recording(shipped_machine("bessy2"), ("HS4P1D1R", "current", 0.5))
    RecordingFolder(places.recordings).add(RecordingFile(recording=recording))
    kept = snapshot()
    snapshot_store.save(places.config, "flat", kept, replace=False)
    snapshot_store.save(places.config, "flat", kept.model_copy(update={"comment": "after the bump"}), replace=True)
    return recording


def recording_identifier(recording: Recording) -> str:
    """The identifier of a recording."""
    return str(Identifier("recording", recording.id))
