"""Versions of the lattice by name are those that a server had: from its journal, and from snapshots."""

from pathlib import Path

import pytest

from gnomon.fault_injection import Injector
from gnomon.ioc.app.initial_state import nominal, record_start
from gnomon.ioc.app.known_lattices import UnknownLatticeError, at_command, at_id, at_snapshot, with_optics
from gnomon.ioc.base import snapshot_store
from gnomon.ioc.base.config import Config
from gnomon.ioc.base.snapshot_store import SnapshotError
from gnomon.ioc.commands.planning import plan
from gnomon.lattice import Client, Command, DocumentError, Lattice, Ring, Setting
from gnomon.recorder import Journal
from gnomon.recorder.recorder_errors import ReviewError
from gnomon.recorder.snapshots import Signature, Snapshot, entries_of
from unit.lattice import small_ring

CLIENT = Client("op", "console", "ca")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    file = tmp_path / "small.json"
    file.write_text(small_ring.text())
    return Config.model_validate({"machine": str(file), "store": {"path": str(tmp_path / "documents.sqlite")}})


@pytest.fixture
def journal(config: Config, tmp_path: Path) -> Path:
    """A server's life of two commands."""
    path = tmp_path / "journal"
    ring = with_optics(config).lattice.ring
    lattice = ring.nominal
    with Journal(path) as open_journal:
        record_start(open_journal, ring, "T:", nominal(ring))
        for value in (0.5, 0.75):
            command = Command(open_journal.next_sequence, (Setting("T:x", "CP", "current", value),), CLIENT, 10**18, 0)
            step = plan(command, lattice, Injector().decide, 10**18)
            open_journal.append([step.record], [step.settled])
            lattice = step.lattice
    return path


def expected(ring: Ring, current: float) -> Lattice:
    return ring.nominal.updated({("CP", "current"): current})


def keep(config: Config, name: str, lattice: Lattice, *, complete: bool = True, digest: str = "") -> None:
    snapshot = Snapshot(
        machine=lattice.ring.name, digest=digest or lattice.ring.digest, prefix="T:",
        lattice_id=lattice.id if complete else "", complete=complete, source="test", comment="",
        signed=Signature(time_ns=1, user="op", host="console"), entries=entries_of(lattice, (), "T:"),
    )  # fmt: skip
    snapshot_store.save(config, name, snapshot, replace=False)


@pytest.mark.parametrize(("sequence", "current"), [(0, 0.0), (1, 0.5), (2, 0.75)])
def test_a_command_means_the_lattice_after_it(config: Config, journal: Path, sequence: int, current: float) -> None:
    known = at_command(config, journal, sequence)
    assert known.lattice.id == expected(known.lattice.ring, current).id
    assert known.origin == f"command {sequence} of 'T:'"


def test_an_unknown_command_is_refused(config: Config, journal: Path) -> None:
    with pytest.raises(ReviewError, match="no command 3"):
        at_command(config, journal, 3)


def test_an_id_is_found_in_the_journal_by_its_beginning(config: Config, journal: Path) -> None:
    wanted = expected(with_optics(config).lattice.ring, 0.5).id
    assert at_id(config, lambda: journal, wanted[:8]).origin == "command 1 of 'T:'"
    assert at_id(config, lambda: journal, wanted).lattice.id == wanted


def test_an_id_is_found_among_optics_and_snapshots_without_a_journal(config: Config, tmp_path: Path) -> None:
    ring = with_optics(config).lattice.ring
    kept = expected(ring, 0.25)
    keep(config, "quarter", kept)
    nowhere = tmp_path / "nowhere"
    assert at_id(config, lambda: nowhere, ring.nominal.id).origin == "optics nominal"
    assert at_id(config, lambda: nowhere, kept.id[:6]).origin == "snapshot quarter"
    with pytest.raises(UnknownLatticeError, match="neither nominal nor in the journal"):
        at_id(config, lambda: nowhere, "ffffffff")
    with pytest.raises(UnknownLatticeError, match="first 4 characters"):
        at_id(config, lambda: nowhere, "f")


def test_a_snapshot_is_its_settings_and_the_rest_nominal(config: Config) -> None:
    ring = with_optics(config).lattice.ring
    keep(config, "whole", expected(ring, 0.25))
    keep(config, "part", expected(ring, 0.125), complete=False)
    for name, current in (("whole", 0.25), ("part", 0.125)):
        assert at_snapshot(config, name).lattice.id == expected(ring, current).id
    with pytest.raises(SnapshotError, match="existing snapshots: part, whole"):
        at_snapshot(config, "none")


def test_a_snapshot_of_a_document_that_is_gone_is_refused(config: Config) -> None:
    keep(config, "old", with_optics(config).lattice, digest="0" * 32)
    with pytest.raises(DocumentError, match="neither shipped"):
        at_snapshot(config, "old")


def test_unknown_optics_are_refused_with_the_names_there_are() -> None:
    with pytest.raises(UnknownLatticeError, match="there are nominal, "):
        with_optics(Config(machine="mls"), "none")
    assert with_optics(Config(machine="mls"), "low_alpha").origin == "optics low_alpha"
