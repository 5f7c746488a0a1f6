"""Initial state of a twin: settings of an earlier server, as the first command of the next one."""

from pathlib import Path

import pytest

from gnomon.fault_injection import Fault, Injector
from gnomon.ioc.app.initial_state import from_settings, last_state_or_nominal, nominal, record_start
from gnomon.ioc.commands.planning import plan
from gnomon.lattice import Client, Command, Lattice, Outcome, Ring, Setting
from gnomon.recorder import Journal, JournalError
from gnomon.recorder.reader import Reader
from unit.ioc.rig import RING

PREFIX = "T:"
CLIENT = Client("op", "console", "ca")


def command(journal: Journal, lattice: Lattice, injector: Injector, *settings: tuple[str, str, float]) -> Lattice:
    """Change journal and lattice as the dispatcher does."""
    asked = tuple(Setting("T:dt:set", *setting) for setting in settings)
    step = plan(Command(journal.next_sequence, asked, CLIENT, 10**18, 0), lattice, injector.decide, 10**18)
    journal.append([step.record], [step.settled])
    return step.lattice


def session(path: Path, *commands: tuple[tuple[str, str, float], ...], faults: tuple[Fault, ...] = ()) -> Lattice:
    """A server's life: its last lattice."""
    injector = Injector()
    for fault in faults:
        injector.add(fault)
    with Journal(path) as journal:
        record_start(journal, RING, PREFIX, nominal(RING))
        lattice = RING.nominal
        for settings in commands:
            lattice = command(journal, lattice, injector, *settings)
    return lattice


def test_a_restored_lattice_has_the_id_it_had(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    left = session(path, (("CP", "current", 0.1 + 0.2),), (("QF", "k1", 1.25),), (("QFP", "current", 25.1),))
    found = last_state_or_nominal(RING, path, PREFIX)
    assert found.lattice.id == left.id
    assert set(found.changes) == {("CP", "current"), ("QF", "k1_trim"), ("QFP", "current")}
    assert found.note.startswith("restore run 1, command 3, of ")
    assert found.left_out == ()


def test_the_values_that_were_in_force_are_restored_not_those_that_were_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    modify = Fault.from_request({"kind": "modify", "device": "CP", "scale": "2"}, created_by="t")
    lose = Fault.from_request({"kind": "abandon", "device": "QF*"}, created_by="t")
    left = session(path, (("CP", "current", 0.5),), (("QFP", "current", 25.0),), faults=(modify, lose))
    found = last_state_or_nominal(RING, path, PREFIX)
    assert found.changes == {("CP", "current"): 1.0}
    assert found.lattice.id == left.id


def test_restoring_is_one_journalled_command_written_with_the_run(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    left = session(path, (("CP", "current", 0.5), ("QFP", "current", 25.0)))
    for run in (2, 3):  # restored again from what was restored
        found = last_state_or_nominal(RING, path, PREFIX)
        with Journal(path) as journal:
            record_start(journal, RING, PREFIX, found)
            assert journal.next_sequence == run + 1
        with Reader(path) as reader:
            entry = reader.entry(run)
            assert (entry.run, entry.outcome, entry.client.protocol) == (run, Outcome.APPLIED, "internal")
            assert entry.note.startswith(f"restore run {run - 1}, command {run - 1}, of ")
            assert {(c.device, c.new) for c in entry.changes} == {("CP", 0.5), ("QFP", 25.0)}
            assert entry.outcomes[-1].lattice_after == found.lattice.id == left.id


def test_a_setting_that_went_back_to_nominal_is_not_restored(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    session(path, (("CP", "current", 0.5),), (("CP", "current", 0.0),))
    found = last_state_or_nominal(RING, path, PREFIX)
    assert found.lattice is RING.nominal
    assert found.note == "nothing to restore: run 1, command 2 left every setting nominal"


def test_runs_of_other_machines_and_prefixes_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    left = session(path, (("CP", "current", 0.5),))
    with Journal(path) as journal:
        journal.begin_run(machine="other", digest="d", prefix=PREFIX, lattice_id="x", baseline={})
        journal.begin_run(machine=RING.name, digest="d", prefix="ELSE:", lattice_id="x", baseline={})
    assert last_state_or_nominal(RING, path, PREFIX).lattice.id == left.id
    none = last_state_or_nominal(RING, path, "NEW:")
    assert none.lattice is RING.nominal
    assert none.note.startswith("nothing to restore: ")


def test_settings_that_the_machine_no_longer_has_are_named_and_the_others_taken() -> None:
    wanted = {
        ("CP", "current"): 0.5,
        ("GONE", "current"): 1.0,
        ("QFP", "current"): 1e6,
        ("QF", "colour"): 1.0,
        ("QDP", "current"): float("nan"),
    }
    found = from_settings(RING, wanted, "restore run 1")
    assert found.changes == {("CP", "current"): 0.5}
    assert found.lattice["CP", "current"] == 0.5
    assert len(found.left_out) == 4
    assert any("there is no device 'GONE'" in line for line in found.left_out)
    assert any("QFP current = 1e+06 A: outside the limits" in line for line in found.left_out)
    assert not any("nothing was changed" in line for line in found.left_out)


def test_without_a_journal_there_is_a_plain_error(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no journal here"):
        last_state_or_nominal(RING, tmp_path / "none", PREFIX)


def test_a_changed_document_gives_what_still_fits(ring_of_lower_limits: Ring, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    session(path, (("CP", "current", 0.5),), (("QFP", "current", 30.0),))
    found = last_state_or_nominal(ring_of_lower_limits, path, PREFIX)
    assert found.changes == {("QFP", "current"): 30.0}
    assert ["CP current = 0.5 A: outside the limits" in line for line in found.left_out] == [True]


@pytest.fixture
def ring_of_lower_limits() -> Ring:
    document = RING.document
    kick = document.limits.supply["kick_x"].model_copy(update={"absolute": (-0.2, 0.2)})
    limits = document.limits.model_copy(update={"supply": {**document.limits.supply, "kick_x": kick}})
    return Ring(document.model_copy(update={"limits": limits}))
