"""The table of procedures: options are checked, runs are stored, corrections act only when told to."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gnomon.clients.errors import NoAnswerError
from gnomon.lattice import Key, Lattice, Ring
from gnomon.procedures.bench import Bench
from gnomon.procedures.correction_runs import CORRECTIONS
from gnomon.procedures.errors import Interrupted, ProcedureError
from gnomon.procedures.measuring import MEASUREMENTS
from gnomon.procedures.procedure_options import ProcedureOptions
from gnomon.procedures.registry import PROCEDURES
from gnomon.procedures.results import Results
from gnomon.procedures.runnable import RUNNABLE, Watcher, checked_options, find_runnable, run_procedure
from gnomon.recorder.apply import Applied
from gnomon.services.job_process import NO_GATE, TO_ACT
from unit.procedures.noisy_ring import NoisyRing, imperfect
from unit.procedures.plans.fake_ring import FakeSession, fake_devices


class FakeBench(Bench):
    """A bench at a ring in this process."""

    def __init__(self, ring: NoisyRing, folder: Path) -> None:
        session: Any = FakeSession(ring)
        super().__init__(session, Results(folder))
        self.ring_now = ring

    def devices(self) -> Any:
        return fake_devices(self.ring_now)

    def reference_mm(self) -> Any:
        return np.zeros((2, 1))

    def act(self, present: Lattice, settings: Any, note: str, model: Lattice | None = None) -> Applied:
        self.ring_now.set(settings)
        return Applied(len(settings), self.ring_now.lattice.id)


class Seen(Watcher):
    def __init__(self) -> None:
        self.phases: list[str] = []
        self.rows: list[int] = []
        self.proposals: list[dict[Key, float]] = []

    def phase(self, name: str, text: str = "") -> None:
        self.phases.append(name)

    def row(self, row: Any, total: int) -> None:
        self.rows.append(total)

    def proposal(self, step: int, present: Lattice, proposal: Any, run: Any) -> None:
        self.proposals.append(dict(proposal.settings))


def test_a_measurement_tells_its_rows_and_is_stored(bessy2: Ring, tmp_path: Path) -> None:
    bench, seen, orm = FakeBench(NoisyRing(bessy2.nominal, 1), tmp_path), Seen(), find_runnable("orm")
    finished = run_procedure(orm, bench, checked_options(orm, {"devices": ["HS4P1D1R"], "note": "a note"}), seen)
    ((run, file),) = finished.runs
    assert (run.status, run.note, finished.failure) == ("done", "a note", None)
    assert bench.results.read(run.name).digest == run.digest
    assert file.parent == tmp_path
    assert seen.rows == [3, 3, 3]
    assert seen.phases == ["preparing", "measuring"]


def test_a_bump_is_only_proposed_unless_it_is_to_be_applied(bessy2: Ring, tmp_path: Path) -> None:
    ring = NoisyRing(bessy2.nominal, 1)
    bench, seen, bump = FakeBench(ring, tmp_path), Seen(), find_runnable("bump")
    before = ring.lattice.id
    asked: dict[str, Any] = {"monitor": "BPMZ5D1R", "y": 0.2}
    finished = run_procedure(bump, bench, checked_options(bump, asked), seen)
    assert (finished.runs, finished.applied, ring.lattice.id) == ((), 0, before)
    assert finished.proposals[0].reason == "proposed; nothing was set"
    applied = run_procedure(bump, bench, checked_options(bump, asked | {"apply": True, "steps": 1}), seen)
    assert applied.applied == len(seen.proposals[0]) == 4
    monitor = [bpm.name for bpm in bessy2.bpms].index("BPMZ5D1R")
    assert ring.true_orbit()[1, monitor] == pytest.approx(0.2, abs=0.01)
    assert bench.results.names() == [applied.runs[0][0].name]


def test_the_leak_of_a_bump_is_measured_and_corrected_once(bessy2: Ring, tmp_path: Path) -> None:
    ring = NoisyRing(imperfect(bessy2, 4, gradient=2e-3), 1)
    bench, bump = FakeBench(ring, tmp_path), find_runnable("bump")
    session: Any = bench.session
    # The settings as the model has them: without the errors of the ring.
    errors = ring.lattice
    supplies = [(supply.name, "current") for supply in bessy2.document.supplies]
    session.present_lattice = lambda: bessy2.nominal.updated({key: ring.lattice[key] for key in supplies})
    before = ring.true_orbit()[1]
    asked: dict[str, Any] = {"monitor": "BPMZ5D1R", "y": 0.5, "apply": True}
    monitor = [bpm.name for bpm in bessy2.bpms].index("BPMZ5D1R")
    leaks = {}
    for steps in (1, 2):
        ring.lattice = errors
        finished = run_procedure(bump, bench, checked_options(bump, asked | {"steps": steps}), Seen())
        outside = np.array(finished.runs[0][0].data["outside"]) > 0.0
        change = ring.true_orbit()[1] - before
        leaks[steps] = np.abs(change[outside]).max() / np.abs(change).max()
    assert change[monitor] == pytest.approx(0.5, abs=0.005)
    assert leaks[2] < 0.01 < leaks[1]
    assert [run.procedure for run, _ in finished.runs] == ["bump", "bump"]


@pytest.mark.parametrize(
    ("error", "kind"), [(Interrupted("interrupted"), Interrupted), (KeyboardInterrupt(), Interrupted),
                        (NoAnswerError("no answer"), ProcedureError)]
)  # fmt: skip
def test_a_later_step_that_ends_says_that_settings_of_earlier_ones_stay(
    bessy2: Ring, tmp_path: Path, error: BaseException, kind: type[ProcedureError], monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = NoisyRing(bessy2.nominal, 1)
    bench, bump = FakeBench(ring, tmp_path), find_runnable("bump")
    read = bench.read

    def ending(*given: Any) -> Any:
        if bench.results.names():
            raise error
        return read(*given)

    monkeypatch.setattr(bench, "read", ending)
    asked = checked_options(bump, {"monitor": "BPMZ5D1R", "y": 0.2, "apply": True})
    finished = run_procedure(bump, bench, asked, Seen())
    assert type(finished.failure) is kind
    assert f"{finished.failure}".endswith("; the 4 settings of earlier steps stay")
    assert [(run.procedure, run.status) for run, _ in finished.runs] == [("bump", "done")]
    assert finished.applied == 4


@pytest.mark.parametrize("seed", [1, 2])
def test_chromaticities_are_measured_and_corrected_until_they_are_near(bessy2: Ring, tmp_path: Path, seed: int) -> None:
    ring = NoisyRing(imperfect(bessy2, seed), seed)
    bench, chromaticity = FakeBench(ring, tmp_path), find_runnable("correct-chromaticity")
    session: Any = bench.session
    supplies = [(supply.name, "current") for supply in bessy2.document.supplies]
    session.present_lattice = lambda: bessy2.nominal.updated({key: ring.lattice[key] for key in supplies})
    wanted = [1.0, 2.0]
    asked = {"to": wanted, "apply": True, "steps": 4}
    finished = run_procedure(chromaticity, bench, checked_options(chromaticity, asked), Seen())
    assert finished.failure is None
    np.testing.assert_allclose(ring.propagate(ring.lattice).chromaticity, wanted, atol=0.05)
    assert len(finished.runs) < 4  # the last measurement found them near enough
    measured = [str(run.identifier) for run in bench.results.all() if run.procedure == "chromaticity"]
    corrections = [*(run for run, _ in finished.runs), *finished.proposals]
    assert [run.provenance.sources for run in corrections] == [(each,) for each in measured]
    assert [run.reason for run in finished.proposals] == ["nothing is left to set"]


def test_tunes_are_corrected_in_several_steps(bessy2: Ring, tmp_path: Path) -> None:
    ring = NoisyRing(bessy2.nominal, 1)
    bench, tune = FakeBench(ring, tmp_path), find_runnable("correct-tune")
    wanted = ring.tunes() + 0.01
    asked = {"to": wanted.tolist(), "apply": True, "steps": 2}
    session: Any = bench.session
    session.present_lattice = lambda: ring.lattice
    finished = run_procedure(tune, bench, checked_options(tune, asked), Seen())
    assert len(finished.runs) == 2
    np.testing.assert_allclose(ring.tunes(), wanted, atol=2e-4)


def test_wrong_names_and_options_are_told_by_name() -> None:
    with pytest.raises(ProcedureError, match=r"there is no procedure 'orn'.*orm"):
        find_runnable("orn")
    for name, given, message in (
        ("orm", {"points": 1}, "orm: points: "),
        ("orm", {"span": 1.0}, "orm: span: "),
        ("bump", {"monitor": "A"}, "give x or y"),
        ("bump", {"x": 1.0}, "bump: monitor: "),
    ):
        with pytest.raises(ProcedureError, match=message):
            checked_options(RUNNABLE[name], given)


def test_every_measurement_can_be_carried_out_and_has_options_with_defaults() -> None:
    assert set(MEASUREMENTS) | set(CORRECTIONS) <= set(RUNNABLE)
    assert all(issubclass(each.options, ProcedureOptions) for each in RUNNABLE.values())
    needed = {"aperture": {"place": "BPMZ5D1R"}}
    for name in MEASUREMENTS:
        assert checked_options(RUNNABLE[name], needed.get(name, {})).note == ""
        assert RUNNABLE[name].title == PROCEDURES[name].title


def test_a_machine_without_a_gate_is_told_with_the_reason_and_the_remedy(bessy2: Ring, tmp_path: Path) -> None:
    bench = FakeBench(NoisyRing(bessy2.nominal, 1), tmp_path)
    session: Any = bench.session
    session.machine, session.role = "bessy2", "machine"
    bench.no_gate, bench.to_act = NO_GATE, TO_ACT
    with pytest.raises(ProcedureError, match=r"nothing was set on .*: jobs of the services .*gnomon calibrate measure"):
        bench.check_may_act()
    session.role = "twin"
    bench.check_may_act()
