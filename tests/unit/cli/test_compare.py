"""`gnomon compare`, `study match` and the options that choose a lattice, as a user types them."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer

from gnomon.cli.lattice_options import LatticeChoice, find_lattice, named_lattice, named_pair
from gnomon.cli.running_lattice import running_lattice, with_setpoints
from gnomon.clients.server_choice import Target
from gnomon.db import shipped_machine
from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.app import known_lattices
from gnomon.ioc.app.known_lattices import KnownLattice, UnknownLatticeError
from gnomon.ioc.app.machines import find_machine, pvs_of
from gnomon.ioc.base.config import Config
from gnomon.lattice import GnomonError, Lattice
from unit.cli.commands import gnomon

MLS = shipped_machine("mls")
STEERER = next(m.supply for m in MLS.magnets if m.main == "kick")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config.model_validate({"machine": "mls", "store": {"path": str(tmp_path / "documents.sqlite")}})


class FakeClient:
    """A server under T: that shows the setpoints of a lattice."""

    lattice: Lattice = MLS.nominal
    hidden: tuple[str, ...] = ()

    def __init__(self, target: Target, timeout_s: float = 5.0) -> None:
        self.target, self.prefix = target, target.prefix

    def __enter__(self) -> "FakeClient":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def find_pvs(self, match: str = "*", source: str = "*") -> list[PvSpec]:
        return [spec for spec in self.specs() if spec.source == source]

    def get(self, *names: str) -> list[Any]:
        specs = {spec.name: spec for spec in self.specs()}
        return [self.reading(specs[name]) for name in names]

    def specs(self) -> tuple[PvSpec, ...]:
        return pvs_of(find_machine(Config(machine="mls")), self.prefix)

    def reading(self, spec: PvSpec) -> Any:
        from gnomon.clients.reading import Reading

        if spec.source == "lattice.id":
            return Reading(spec.name, self.lattice.id)
        return Reading(spec.name, self.lattice[spec.device, spec.property] * spec.scale)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> type[FakeClient]:
    monkeypatch.setattr("gnomon.clients.epics_client.EpicsClient", FakeClient)
    return FakeClient


@pytest.mark.parametrize(
    "changes", [{(STEERER, "current"): 0.25}, {("Q1P1K1RP", "current"): 53.0, ("rf", "frequency"): 499655.0}]
)
def test_a_server_is_read_by_its_setpoints(
    config: Config, served: type[FakeClient], monkeypatch: pytest.MonkeyPatch, changes: dict[tuple[str, str], float]
) -> None:
    monkeypatch.setattr(served, "lattice", MLS.nominal.updated(changes))
    known = running_lattice(config, Target("T:"))
    for key in changes:
        assert known.lattice[key] == pytest.approx(served.lattice[key], rel=1e-12)


def test_a_strength_with_a_trim_is_set_and_one_that_its_current_gives_is_not() -> None:
    def spec(name: str, device: str, property_: str, scale: float = 1.0) -> PvSpec:
        return PvSpec(
            name=name, kind=Kind.FLOAT, source="set", description="", device=device, property=property_, scale=scale
        )

    served = MLS.nominal.updated({("Q1P1K1RP", "current"): 53.0, ("Q1M2K1RP", "k1"): 2.5})
    shown = {
        spec("a", "Q1P1K1RP", "current", 1e3): 53e3,
        spec("b", "Q1M1K1RP", "k1"): served["Q1M1K1RP", "k1"] * (1.0 + 1e-15),
        spec("c", "Q1M2K1RP", "k1"): 2.5,
    }
    assert with_setpoints(MLS.nominal, shown).id == served.id


def test_settings_that_no_pv_shows_are_told(
    config: Config, served: type[FakeClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served, "lattice", MLS.nominal.updated({("Q1M1K1RP", "dx"): 1e-4}))
    assert running_lattice(config, Target("T:")).origin == "server 'T:', settings without a PV nominal"
    monkeypatch.setattr(served, "lattice", MLS.nominal)
    assert running_lattice(config, Target("T:")).origin == "server 'T:'"


def test_names_of_lattices_are_found_by_what_they_are(config: Config) -> None:
    assert named_lattice(config, "nominal").lattice.id == MLS.nominal.id
    for text in (
        "low_alpha",
        "optics:low_alpha",
        MLS.optics["low_alpha"].id,
        f"lattice:{MLS.optics['low_alpha'].id[:8]}",
    ):
        assert named_lattice(config, text).lattice.id == MLS.optics["low_alpha"].id
    with pytest.raises(UnknownLatticeError, match="is not a snapshot"):
        named_lattice(config, "flat")
    with pytest.raises(UnknownLatticeError, match="not the number of a command"):
        named_lattice(config, "at:x")


def test_nominal_is_that_of_the_other_ones_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    other = KnownLattice(MLS.optics["low_alpha"], "snapshot x")
    monkeypatch.setattr(known_lattices, "at_snapshot", lambda *_: other)
    a, b = named_pair(Config(), None, "nominal", "x")
    assert (a.lattice.id, b) == (MLS.nominal.id, other)


@pytest.mark.parametrize(
    "choice",
    [
        LatticeChoice(machine="mls", snapshot="a", at=1),
        LatticeChoice(machine="mls", optics="low_alpha", prefix="T:"),
        LatticeChoice(machine="mls", journal=Path("j")),
    ],
)
def test_options_that_exclude_each_other_are_wrong_use(choice: LatticeChoice) -> None:
    with pytest.raises(typer.BadParameter):
        find_lattice(choice)


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gnomon.cli.compile_kernels.compile_with_progress", lambda *_: None)
    monkeypatch.setattr("gnomon.cli.compile_kernels.compile_studies_with_progress", lambda *_: None)


@pytest.mark.usefixtures("compiled")
def test_compare_shows_both_beams_and_the_settings(tmp_path: Path) -> None:
    plot = tmp_path / "compare.svg"
    output = gnomon("compare", "nominal", "low_alpha", "--machine", "mls", "--plot", plot, "--dark").output
    rows = {line.split()[0]: line.split() for line in output.splitlines() if line.strip()}
    assert rows["Q1P1K1RP"][1:4] == ["current", "51.92001482", "66.70544861"]
    assert "beta beating" in output
    assert "ring optics" in output
    assert "Δ" in plot.read_text() or "Delta" in plot.read_text()
    document = json.loads(gnomon("compare", "nominal", "low_alpha", "--machine", "mls", "--json").stdout)
    assert document["names"]["side"] == ["optics nominal", "optics low_alpha"]


@pytest.mark.usefixtures("compiled")
def test_match_shows_conditions_and_settings_and_sets_nothing() -> None:
    done = gnomon("study", "match", "--machine", "mls", "--tunes", "+0.005,0", "--with", "Q1*,Q2*", "--with", "Q3*")
    lines = done.output.splitlines()
    row = next(line.split() for line in lines if line.startswith("tune x"))
    assert row[2:5:2] == ["+0.005000", "+0.005000"]
    assert "predicted only: nothing was set" in done.output
    assert done.exit_code == 0
    far = gnomon("study", "match", "--machine", "mls", "--tunes", "0.45,0", "--with", "Q1P1K1RP")
    assert far.exit_code == 1
    assert "not reached" in far.output


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize(
    "options",
    [[], ["--tunes", "0.01"], ["--tunes", "a,b"], ["--bump", "BPMZ1K1RP=1"], ["--bump", "1,0,0"]],
)
def test_targets_that_are_not_pairs_are_wrong_use(options: list[str]) -> None:
    assert gnomon("study", "match", "--machine", "mls", *options).exit_code == 2


@pytest.mark.usefixtures("compiled")
def test_unknown_monitors_and_supplies_are_refused() -> None:
    for options in (["--bump", "BPM=1,0"], ["--tunes", "0,0", "--with", "X*"]):
        with pytest.raises(GnomonError):
            gnomon("study", "match", "--machine", "mls", *options)
