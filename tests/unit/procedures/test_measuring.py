"""Measurements from beginning to end on a model in this process: true outcomes, and the ring as it was."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gnomon.clients.errors import ClientError, NoBeamError
from gnomon.lattice import Key, Ring
from gnomon.procedures.beam_based_alignment import AlignmentOutcome
from gnomon.procedures.chromaticity import ChromaticityOutcome
from gnomon.procedures.dispersion import DispersionOutcome
from gnomon.procedures.documents import Run
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.measuring import MEASUREMENTS, MeasureOptions, measure
from gnomon.procedures.orbit_response import OrbitResponseOutcome
from gnomon.procedures.plans import MeasuredRow
from gnomon.procedures.registry import reanalyse, typed
from gnomon.procedures.summaries import summarise
from gnomon.procedures.tune_response import TuneResponseOutcome
from gnomon.propagator import Propagator
from gnomon.propagator.derivatives import supply_response
from unit.procedures.noisy_ring import NoisyRing, imperfect
from unit.procedures.plans.fake_ring import FakeSession, fake_devices


def measured(ring: NoisyRing, name: str, **options: Any) -> tuple[Run, Any]:
    """A run that succeeded, and its outcome; the ring is as it was, and the analysis repeats."""
    before = ring.lattice.id
    session: Any = FakeSession(ring)
    run, failure = measure(name, session, fake_devices(ring), MeasureOptions(**options))
    assert failure is None, failure
    assert run.status == "done"
    assert ring.lattice.id == before == run.provenance.lattice_id_after
    outcome = typed(run)[2]
    assert outcome is not None
    assert reanalyse(run).model_dump_json() == outcome.model_dump_json()
    assert summarise(run)
    return run, outcome


def test_the_orbit_response(bessy2: Ring) -> None:
    ring = NoisyRing(imperfect(bessy2, 1), 1)
    _, found = measured(ring, "orm", devices=("HS4P1D*",), readings=2)
    assert isinstance(found, OrbitResponseOutcome)
    errors = np.array([found.x, found.y]) - ring.response(found.steerers)
    assert np.std(errors / np.array([found.x_error, found.y_error])) == pytest.approx(1.0, abs=0.1)


def test_steerers_that_move_together_have_the_responses_that_they_have_alone(bessy2: Ring) -> None:
    ring = NoisyRing(imperfect(bessy2, 1), 1)
    run, found = measured(ring, "orm", devices=("HS4P1D*",), readings=4, together=8)
    assert isinstance(found, OrbitResponseOutcome)
    assert len(run.data["x_mm"]) == 4 * (8 + 5)
    errors = np.array([found.x, found.y]) - ring.response(found.steerers)
    assert np.std(errors / np.array([found.x_error, found.y_error])) == pytest.approx(1.0, abs=0.15)


def test_measured_rows_are_kept_when_the_server_is_gone_at_the_end(bessy2: Ring) -> None:
    ring = NoisyRing(bessy2.nominal, 1)
    session: Any = FakeSession(ring)
    states = iter([session.state()])

    def state() -> Any:
        for each in states:
            return each
        raise ClientError("T:dt:lattice: no server answered within 5 s")

    session.state = state
    run, failure = measure("orm", session, fake_devices(ring), MeasureOptions(devices=("HS4P1D1R",)))
    assert (failure, run.status, len(run.data["x_mm"])) == (None, "done", 3)
    assert (run.provenance.lattice_id, run.provenance.lattice_id_after) == (ring.lattice.id, "")


def test_the_dispersion(bessy2: Ring) -> None:
    ring = NoisyRing(bessy2.nominal, 1)
    _, found = measured(ring, "dispersion")
    assert isinstance(found, DispersionOutcome)
    truth = Propagator(bessy2)(bessy2.nominal).dispersion[list(bessy2.monitors), 0]
    assert np.abs(found.x_m - truth).max() < 0.01 * np.abs(truth).max()


def test_chromaticities(bessy2: Ring) -> None:
    ring = NoisyRing(bessy2.nominal, 1)
    _, found = measured(ring, "chromaticity")
    assert isinstance(found, ChromaticityOutcome)
    np.testing.assert_allclose(found.chromaticity, Propagator(bessy2)(bessy2.nominal).chromaticity, rtol=0.01)


def test_chromaticities_with_the_momentum_compaction_of_a_fit_of_the_optics(bessy2: Ring) -> None:
    gradients = dict(zip(*_gradients(bessy2), strict=True))
    ring = NoisyRing(bessy2.nominal.updated(gradients), 1)
    session: Any = FakeSession(ring)
    options = MeasureOptions(readings=4, fit="optics-fit")
    with pytest.raises(ProcedureError, match="no results here"):
        measure("chromaticity", session, fake_devices(ring), options)
    fit = SimpleNamespace(settings=[(*key, value) for key, value in gradients.items()])
    session.load_fit = lambda name: (f"{name}-20261127T101502.123", fit)
    run, failure = measure("chromaticity", session, fake_devices(ring), options)
    assert failure is None
    assert run.provenance.fit == "optics-fit-20261127T101502.123"
    found = typed(run)[2]
    assert isinstance(found, ChromaticityOutcome)
    truth = Propagator(bessy2)(ring.lattice)
    assert abs(truth.momentum_compaction / Propagator(bessy2)(bessy2.nominal).momentum_compaction - 1.0) > 0.02
    np.testing.assert_allclose(found.chromaticity, truth.chromaticity, rtol=0.005)
    assert found.scale_error < 0.001


def _gradients(ring: Ring) -> tuple[list[Key], list[float]]:
    """Wrong gradients that change the momentum compaction by percents."""
    magnets = [m for m in ring.magnets if m.name.startswith(("Q1M", "Q3M"))]
    signs = [3e-3 if m.name.startswith("Q1M") else -3e-3 for m in magnets]
    values = [sign * ring.nominal.strength(m) for sign, m in zip(signs, magnets, strict=True)]
    return [(m.name, "k1_trim") for m in magnets], values


def test_the_tune_response(bessy2: Ring) -> None:
    ring = NoisyRing(bessy2.nominal, 1)
    _, found = measured(ring, "tune-response", devices=("Q1P*",), readings=3)
    assert isinstance(found, TuneResponseOutcome)
    truth = supply_response(Propagator(bessy2), bessy2.nominal, found.supplies).tune
    assert (np.abs(found.tune - truth) < 5 * found.tune_error).all()


def test_the_tune_response_is_of_supplies_of_the_magnets_though_the_multiplexer_is_connected(bessy2: Ring) -> None:
    mux = bessy2.multiplexer
    assert mux is not None
    ring = NoisyRing(bessy2.nominal.updated({(mux.name, "selected"): 1.0}), 1)
    session: Any = FakeSession(ring)
    session.model = ring.lattice
    with pytest.raises(ProcedureError, match="no power supply of quadrupoles fits"):
        measure("tune-response", session, fake_devices(ring), MeasureOptions(devices=(mux.supply,)))


def test_alignment_through_the_multiplexer_and_by_own_supplies(bessy2: Ring) -> None:
    quadrupoles = ("Q3M2T7R", "Q4M2T7R", "Q5M1T6R")
    places = {(name, "dx"): 3e-6 * (number + 1) for number, name in enumerate(quadrupoles)}
    ring = NoisyRing(bessy2.nominal.updated(places), 1, noise_mm=1e-4)
    beam = ring.propagate(ring.lattice)
    elements = {m.name: m.element for m in bessy2.magnets}
    run, found = measured(ring, "bba", devices=quadrupoles)
    assert isinstance(found, AlignmentOutcome)
    for name, x in zip(found.quadrupoles, found.x_mm, strict=True):
        start, end = beam.orbit[elements[name] : elements[name] + 2]
        bow = bessy2.elements[elements[name]].length / 12.0 * (start[1] - end[1])
        assert x == pytest.approx(1e3 * (0.5 * (start[0] + end[0]) + bow - places[name, "dx"]), abs=0.005)
    assert len(run.data["quadrupole"]) == 12 * len(quadrupoles)


def test_a_lost_beam_keeps_the_rows_and_the_reason_and_puts_back(bessy2: Ring) -> None:
    ring = NoisyRing(bessy2.nominal, 1)
    before = ring.lattice.id
    rows: list[tuple[MeasuredRow, int]] = []
    session: Any = FakeSession(ring)
    options = MeasureOptions(devices=("HS4P1D1R", "HS4P2D1R"), move_mm=150.0)
    run, failure = measure("orm", session, fake_devices(ring), options, lambda row, total: rows.append((row, total)))
    assert isinstance(failure, NoBeamError)
    assert (run.status, run.outcome) == ("failed", None)
    assert run.reason.endswith("; the settings are as before")
    assert ring.lattice.id == before
    assert len(run.data["rows"]) == len(rows) >= 1
    assert rows[0][1] == 6
    assert summarise(run)[0].name == "failed"


def test_unknown_measurements_and_devices_are_refused_before_anything_is_set(bessy2: Ring) -> None:
    ring = NoisyRing(bessy2.nominal, 1)
    session: Any = FakeSession(ring)
    for name, options, message in (
        ("orn", MeasureOptions(), "there is no measurement 'orn'"),
        ("orm", MeasureOptions(devices=("HX*",)), "no steering power supply fits 'HX"),
        ("bba", MeasureOptions(devices=("Q9*",)), "no quadrupole that can be changed alone fits"),
    ):
        with pytest.raises(ProcedureError, match=message):
            measure(name, session, fake_devices(ring), options)
    others = {"beta", "lifetime", "aperture", "losses"}  # test_beam_measurements.py
    assert set(MEASUREMENTS) == {"orm", "dispersion", "chromaticity", "tune-response", "bba"} | others
