"""A ring that is served and the same ring as a library: the same names, units, labels and values."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gnomon
from gnomon.clients.epics_client import EpicsClient, PvInfo
from gnomon.clients.reading import Reading
from gnomon.clients.remote_ring import RemoteRing
from gnomon.clients.server_choice import Target
from gnomon.lattice.tables import Table
from gnomon.propagator import Propagator
from gnomon.propagator.facade import RingModel
from unit.ioc.rig import RING, Rig, running
from unit.lattice import small_ring


class BankClient(EpicsClient):
    """A client that reads the bank of a twin in this process."""

    def __init__(self, rig: Rig) -> None:
        self.target, self.timeout_s = Target("T:"), 1.0
        self.rig = rig
        self._listed = {
            s.name: PvInfo(s.name, s.source, s.device, s.property, s.unit, s.writable, "") for s in rig.bank.specs
        }

    def get(self, *names: str) -> list[Reading]:
        return [self._reading(self.full_name(name)) for name in names]

    def _reading(self, name: str) -> Reading:
        spec, found = self.rig.bank.specs[self.rig.bank.index[name]], self.rig.get(name)
        index = int(found.value) if spec.states else None
        value: Any = spec.states[index] if index is not None else found.value
        return Reading(
            name, value, spec.unit, int(found.severity), time_ns=found.time_ns, states=spec.states, index=index,
            limits=spec.drive,
        )  # fmt: skip

    def set(self, settings: Mapping[str, float | str], note: str = "") -> dict[str, Any]:
        raise NotImplementedError


@pytest.fixture(autouse=True, scope="module")
def _compiled() -> None:
    """Compile the model before a twin has to answer in time."""
    Propagator(RING)(RING.nominal)


@pytest.fixture
def document(tmp_path: Path) -> str:
    file = tmp_path / "ring.json"
    file.write_text(small_ring.text(), encoding="utf-8")
    return str(file)


def alike(served: Table, library: Table, without: tuple[str, ...] = ()) -> None:
    assert served.axis == library.axis
    assert served.names == library.names
    assert list(served.columns) == [column for column in library.columns if column not in without]
    for column, values in served.columns.items():
        assert served.units.get(column) == library.units.get(column)
        np.testing.assert_allclose(values, library.columns[column], rtol=1e-12, atol=1e-12)


async def test_orbit_optics_tunes_and_identity_are_those_of_the_library(tmp_path: Path, document: str) -> None:
    async with running(tmp_path, lambda lattice: Propagator(RING)(lattice), timeout_s=60.0) as rig:
        for name, value in {"CP": 0.5, "QFP": 80.5}.items():
            assert (await rig.put(f"T:{name}:set", value)).accepted
        served, library = RemoteRing(BankClient(rig)), gnomon.ring(RING.nominal).set(CP=0.5, QFP=80.5)
        assert library.orbit["BPM1"].x != 0.0
        alike(served.orbit, library.orbit)
        alike(served.optics, library.optics, without=("dispersion_px", "dispersion_py", "px", "py"))
        assert served.optics["end"].phase_x == pytest.approx(library.tunes.x)
        assert served.tunes == pytest.approx(library.tunes, abs=1e-12)
        assert served.id == library.id
        assert served.chromaticities == pytest.approx(library.chromaticities)
        assert (served.has_beam, served.reason) == (library.has_beam, library.reason)
        settings, known = served.settings, library.settings
        assert settings.axis == known.axis
        for name in ("QFP", "CP", "rf_frequency"):
            for column in ("value", "unit", "low", "high"):
                assert settings[name][column] == known[name][column], (name, column)
            assert served[name] == library[name]


async def test_predictions_are_those_of_the_library_and_set_nothing(tmp_path: Path, document: str) -> None:
    async with running(tmp_path, lambda lattice: Propagator(RING)(lattice), timeout_s=60.0) as rig:
        assert (await rig.put("T:QFP:set", 80.5)).accepted
        served, library = RemoteRing(BankClient(rig)), gnomon.ring(RING.nominal).set(QFP=80.5)
        there = served.model(document)
        served.model = lambda machine=None: there  # type: ignore[method-assign]
        for by in ("supply", "magnet"):
            alike(served.tune_response(by), library.tune_response(by))
        alike(served.chromaticity_response(), library.chromaticity_response())
        alike(served.rf_response, library.rf_response)
        assert served.radiation == library.radiation
        found = served.match("QFP", "QDP", tunes=(0.001, 0.0))
        assert found.tunes.x - library.tunes.x == pytest.approx(0.001, abs=1e-6)
        assert set(found.changes.names) == {"QFP", "QDP"}  # since the present settings, not since the nominal ones
        assert found.changes["QFP"].before == 80.5
        assert served.id == library.id


def test_a_served_ring_has_every_method_of_a_library_ring() -> None:
    #: What belongs to settings that exist only in memory.
    in_memory = {"lattice", "beam", "changes", "optics_names", "name", "momentum_deviation", "momentum_compaction"}
    public = {name for name, _ in inspect.getmembers(RingModel) if not name.startswith("_")}
    assert public - in_memory <= {name for name, _ in inspect.getmembers(RemoteRing)}
