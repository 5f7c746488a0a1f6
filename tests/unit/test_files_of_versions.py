"""Files of earlier versions open in this one: fixtures/v<version>, written by `tools.version_files` of then."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gnomon.cli import app
from gnomon.ioc.app.initial_state import last_state_or_nominal
from gnomon.ioc.base import snapshot_store
from gnomon.ioc.base.config import Config, StoreConfig, read_config
from gnomon.ioc.base.machines import find_machine, pvs_of, recorded_machine
from gnomon.ioc.commands.reference_store import ReferenceStore
from gnomon.lattice import Outcome, Ring, parse_machine
from gnomon.procedures.results import Results
from gnomon.propagator import Propagator
from gnomon.propagator.studies import read_study
from gnomon.recorder import Journal
from gnomon.recorder.command_document import CommandDocument
from gnomon.recorder.reader import Reader
from gnomon.recorder.recorded_states import state_at, state_now
from gnomon.services.catalogue import Catalogue, CataloguePlaces, CatalogueQuery

FIXTURES = Path(__file__).parents[1] / "fixtures"
VERSIONS = sorted(folder.name for folder in FIXTURES.glob("v*"))

#: What was put, in the order of the commands: (PV, value asked for, value done).
CHANGES: list[list[tuple[str, float, float | None]]] = [
    [("OLD:QFP:set", 80.25, 80.25)],
    [("OLD:QDP:set", 73.0, 73.0)],
    [("OLD:QFP:set", 80.125, 80.125)],
    [("OLD:QDP:set", 73.25, 72.5175)],  # a fault took 1 % of it
    [("OLD:CP:set", 1e6, None)],
    [("OLD:CP:set", 0.5, 0.5)],
    [("OLD:QFP:set", 80.0, 80.0), ("OLD:SFP:set", 40.5, 40.5)],
]
OUTCOMES = [Outcome.APPLIED] * 3 + [Outcome.MODIFIED, Outcome.REJECTED] + [Outcome.APPLIED] * 2
IN_FORCE = {"QFP": 80.0, "QDP": 72.5175, "SFP": 40.5, "CP": 0.5}


@pytest.fixture(params=VERSIONS)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of the files of a version."""
    folder = tmp_path / request.param
    shutil.copytree(FIXTURES / request.param, folder)
    return folder


@pytest.fixture
def config(kept: Path) -> Config:
    return read_config(kept / "config.yaml").model_copy(
        update={"machine": str(kept / "small.json"), "store": StoreConfig(path=kept / "documents.sqlite")}
    )


def gnomon(kept: Path, *arguments: str) -> str:
    """Run a command that must work, and return its output."""
    if arguments[0] == "snapshot":
        options = kept / "used.yaml"
        options.write_text(json.dumps({"store": {"path": str(kept / "documents.sqlite")}}))
        arguments = (*arguments, "--config", str(options))
    done = CliRunner().invoke(app, arguments, env={"COLUMNS": "200", "TERM": "dumb"})
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def settings_of(values: dict[Any, float]) -> dict[str, float]:
    return {device: values[device, "current"] for device in IN_FORCE}


def test_files_of_at_least_one_version_exist() -> None:
    assert "v0.1.0" in VERSIONS


def test_a_machine_document_gives_the_ring_that_it_gave(kept: Path) -> None:
    ring = Ring(parse_machine((kept / "small.json").read_text(), "small.json"))
    served = json.loads((kept / "served.json").read_text())
    beam = Propagator(ring)(ring.nominal.updated({(name, "current"): value for name, value in IN_FORCE.items()}))
    assert beam.tune == pytest.approx([served["TUNE:X"], served["TUNE:Y"]], abs=1e-9)
    assert [element.name for element in ring.elements][:3] == ["START", "QF", "BPM1"]
    assert ring.nominal["QFP", "current"] == pytest.approx(80.05537239552791, rel=1e-12)


def test_a_configuration_of_an_older_version_means_the_same(kept: Path) -> None:
    config = read_config(kept / "config.yaml")
    assert (config.prefix, config.network.interfaces, config.model.timeout_s) == ("OLD:", ("127.0.0.1",), 5.0)
    assert (config.publish.repeat_hz, config.recorder.restore, config.forks.most) == (2.0, True, 2)
    assert [(rule.allow, rule.hosts) for rule in config.access.rules] == [("write", ("console",)), ("read", ())]


def test_a_pv_document_names_the_pvs_that_it_named(config: Config) -> None:
    specs = {spec.name: spec for spec in pvs_of(find_machine(config), "OLD:")}
    assert {"OLD:QFP:set", "OLD:QTRIM:read", "OLD:TUNE:X", "OLD:beam:twiss:x:tune"} < specs.keys()
    assert specs["OLD:CP:set"].drive == (-10.0, 10.0)
    assert specs["OLD:CP:set"].unit == "A"


def test_a_journal_tells_every_command(kept: Path) -> None:
    with Reader(kept / "twin.journal") as reader:
        entries = list(reader.entries())
        run = reader.newest_run()
    assert (run.machine, run.prefix) == ("small", "OLD:")
    assert [entry.sequence for entry in entries] == list(range(1, len(CHANGES) + 1))
    assert [entry.outcome for entry in entries] == OUTCOMES
    asked = [[(change.pv, change.new) for change in entry.changes] for entry in entries]
    assert asked == [[(pv, value) for pv, value, _ in changes] for changes in CHANGES]
    done = [{effect.pv: effect.done for effect in entry.outcomes[-1].effects} for entry in entries]
    assert done == [{pv: value for pv, _, value in changes if value is not None} for changes in CHANGES]
    assert "outside" in entries[4].reason
    assert [entry.client.protocol for entry in entries] == ["ca"] * 6 + ["pva"]
    assert {entry.client.user for entry in entries} == {"root"}


def test_a_journal_tells_the_settings_in_force(kept: Path) -> None:
    with Reader(kept / "twin.journal") as reader:
        assert settings_of(dict(state_now(reader).settings)) == IN_FORCE
        assert dict(state_at(reader, 2).settings) == {("QFP", "current"): 80.25, ("QDP", "current"): 73.0}


def test_a_journal_goes_on(kept: Path, config: Config) -> None:
    path = kept / "twin.journal"
    with Reader(path) as reader:
        before = reader.newest_run()
    with Journal(path) as journal:
        assert journal.next_sequence == len(CHANGES) + 1
        run = journal.begin_run(
            machine="small", digest=before.digest, prefix="OLD:", lattice_id="", baseline={}, wall_ns=1, boot_id=""
        )
    assert run == before.run + 1


def test_the_machine_of_a_journal_is_in_the_store(kept: Path, config: Config) -> None:
    with Reader(kept / "twin.journal") as reader:
        run = reader.newest_run()
    found = recorded_machine(config.model_copy(update={"machine": "mls"}), run.machine, run.digest)
    assert found.origin == "store, revision 1"
    assert len(found.document.elements) == 12


def test_a_server_begins_where_the_old_one_ended(kept: Path, config: Config) -> None:
    ring = find_machine(config).ring
    start = last_state_or_nominal(ring, kept / "twin.journal", "OLD:")
    assert {device: start.lattice[device, "current"] for device in IN_FORCE} == IN_FORCE
    assert not start.left_out


def test_snapshots_are_found_with_their_earlier_revisions(config: Config) -> None:
    assert [kept.name for kept in snapshot_store.list_snapshots(config)] == ["golden"]
    newest, first = snapshot_store.find(config, "golden"), snapshot_store.find(config, "golden", 1)
    assert (newest.snapshot.comment, first.snapshot.comment) == ("second", "first")
    assert newest.snapshot.complete
    values = {entry.pv: entry.stored for entry in newest.snapshot.entries}
    assert {device: values[f"{device}:set"] for device in IN_FORCE} == IN_FORCE
    assert {entry.pv: entry.stored for entry in first.snapshot.entries}["QFP:set"] == 80.125
    assert snapshot_store.find(config, "dropped", 1).snapshot.comment == ""


async def test_a_saved_reference_orbit_is_found(config: Config) -> None:
    ring = find_machine(config).ring
    monitors = [monitor.name for monitor in ring.document.monitors]
    store = ReferenceStore(config.store_path(), "small", "OLD:", monitors)
    assert await store.names() == ["zero", "kicked"]
    orbit = await store.load("kicked")
    beam = Propagator(ring)(ring.nominal.updated({(name, "current"): value for name, value in IN_FORCE.items()}))
    assert [orbit.x, orbit.y] == [pytest.approx(beam.orbit[list(ring.monitors), plane], abs=1e-9) for plane in (0, 2)]
    assert abs(orbit.x[0]) > 1e-5


def test_results_and_studies_are_read_and_have_the_identifiers_of_their_content(kept: Path, config: Config) -> None:
    results = Results(kept / "results")
    (name,) = results.names()
    digest = (kept / "results" / "orm.sha256").read_text().strip()
    assert results.load("orm").digest == digest
    assert str(results.head(name)[1]) == f"gnomon:result/{digest}"
    documents = [read_study(kept / "results" / "studies" / f"study-tune{ending}") for ending in (".h5", ".json")]
    assert documents[0] == documents[1]
    with Catalogue(CataloguePlaces(kept / "results", config)) as catalogue:
        assert catalogue.resolve(digest[:12]).name == name
        assert catalogue.resolve(documents[0]["identifier"]).procedure == "tune"
        assert [entry.note for entry in catalogue.find(CatalogueQuery(kind="snapshot"))] == ["second"]
        older = [entry.note for entry in catalogue.entries() if entry.kind == "snapshot"]
        assert {"first", "second", ""} == set(older)


@pytest.mark.parametrize("suffix", ["snp", "sav", "csv", "bms"])
def test_an_exported_snapshot_comes_back(kept: Path, suffix: str) -> None:
    said = gnomon(
        kept, "snapshot", "import", str(kept / f"golden.{suffix}"), "back", "--prefix", "OLD:", "--machine", "small"
    )
    assert "setpoints of small" in said
    shown = gnomon(kept, "snapshot", "show", "back", "--all")
    rows = {line.split()[0]: float(line.split()[1]) for line in shown.splitlines() if ":set " in line}
    assert {device: rows[f"{device}:set"] for device in IN_FORCE} == IN_FORCE


def test_an_exported_journal_is_what_the_journal_says_now(kept: Path) -> None:
    lines = (kept / "commands.jsonl").read_text().splitlines()
    for line in lines:
        CommandDocument.model_validate_json(line)
    now = gnomon(kept, "log", "export", "--journal", str(kept / "twin.journal"), "-").splitlines()
    assert [json.loads(line) for line in now] == [json.loads(line) for line in lines]


def test_the_log_is_listed(kept: Path) -> None:
    rows = gnomon(kept, "log", "--journal", str(kept / "twin.journal")).splitlines()
    assert [row.split()[0] for row in rows[1:]] == [str(n) for n in range(1, len(CHANGES) + 1)]
    assert "OLD:QDP:set" in rows[4]
