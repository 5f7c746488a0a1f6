"""Procedures in scripts: run by name, typed outcomes, failures raised; the orbit through offsets that were measured."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gnomon.lattice import Ring
from gnomon.procedures.beam_based_alignment import AlignmentOutcome, with_offsets
from gnomon.procedures.documents import Run
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.orbit_response import OrbitResponseOutcome
from gnomon.procedures.scripting import Machine
from unit.procedures.noisy_ring import NoisyRing
from unit.procedures.test_runnable import FakeBench, Seen


def alignment(monitors: tuple[str, ...], x: list[float], error: list[float]) -> AlignmentOutcome:
    """An alignment that found these horizontal offsets, and vertical ones of nothing."""
    count = len(x)
    flat, known = np.zeros(count), np.array(x)
    return AlignmentOutcome(
        quadrupoles=tuple(f"Q{n}" for n in range(count)), x_mm=flat, y_mm=flat, x_error_mm=flat, y_error_mm=flat,
        monitors=monitors, distance_m=flat, offset_x_mm=known, offset_y_mm=np.full(count, np.nan),
        offset_x_error_mm=np.array(error), offset_y_error_mm=np.full(count, np.nan), noise_mm=0.001,
    )  # fmt: skip


@pytest.fixture
def ring(bessy2: Ring) -> NoisyRing:
    return NoisyRing(bessy2.nominal, 1)


def test_a_procedure_is_run_by_name_and_its_outcome_has_a_type(ring: NoisyRing, tmp_path: Path) -> None:
    machine, seen = Machine(FakeBench(ring, tmp_path)), Seen()
    run = machine.run("orm", seen, devices=["HS4P1D1R"], note="of a script")
    found = machine.outcome(run)
    assert isinstance(found, OrbitResponseOutcome)
    assert found.steerers == ("HS4P1D1R",)
    assert machine.results.load("orm").note == "of a script"
    assert len(seen.rows) == 3


def test_wrong_names_and_options_are_told(ring: NoisyRing, tmp_path: Path) -> None:
    machine = Machine(FakeBench(ring, tmp_path))
    with pytest.raises(ProcedureError, match="there is no procedure 'orn'"):
        machine.run("orn")
    with pytest.raises(ProcedureError, match="orm: reading"):
        machine.run("orm", reading=3)
    with pytest.raises(ProcedureError, match="no outcome: the beam was lost"):
        machine.outcome(
            Run(name="a", procedure="orm", status="failed", reason="the beam was lost", data={}, parameters={})
        )


def test_a_proposal_is_returned_and_sets_nothing(ring: NoisyRing, tmp_path: Path) -> None:
    machine, before = Machine(FakeBench(ring, tmp_path)), ring.lattice.id
    assert machine.run("bump", monitor="BPMZ5D1R", y=0.2).reason == "proposed; nothing was set"
    assert ring.lattice.id == before
    assert machine.run("bump", monitor="BPMZ5D1R", y=0.2, apply=True).status == "done"
    assert ring.lattice.id != before


def test_the_orbit_is_brought_to_offsets_that_were_found(ring: NoisyRing, tmp_path: Path) -> None:
    bench = FakeBench(ring, tmp_path)
    machine, names = Machine(bench), tuple(bpm.name for bpm in ring.lattice.ring.bpms)
    found = alignment((names[20],), [0.3], [0.002])
    run: Any = Run(name="bba-1", procedure="bba", data={}, parameters={}, outcome=found.model_dump())
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(FakeBench, "outcome_of", lambda self, name, procedure: (run, run.outcome))
        machine.run("correct-orbit", offsets="bba", apply=True)
    x, y = bench.read("orbit", 4)
    assert 0.1 < x[20] < 0.3  # steerers are too far apart for a bump at one monitor alone
    assert np.argmax(x) == 20
    assert np.abs(y).max() < 0.01


def test_several_offsets_of_a_monitor_are_averaged_by_their_errors_and_others_keep_the_reference() -> None:
    monitors = ("A", "B", "C")
    found = alignment(("B", "", "B"), [0.1, np.nan, 0.4], [0.001, np.nan, 0.002])
    target = with_offsets(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), monitors, found)
    np.testing.assert_allclose(target, [[1.0, 0.1 * 0.8 + 0.4 * 0.2, 3.0], [4.0, 5.0, 6.0]])
    unsure = alignment(("A", "B"), [0.1, 0.2], [np.nan, 0.001])
    np.testing.assert_allclose(with_offsets(np.zeros((2, 3)), monitors, unsure)[0], [0.0, 0.2, 0.0])
    with pytest.raises(ProcedureError, match="no offset of a monitor"):
        with_offsets(np.zeros((2, 3)), monitors, alignment(("",), [np.nan], [np.nan]))
