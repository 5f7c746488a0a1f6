"""A measurement as one plan in any Run Engine: the run is kept, named in the documents, and the ring as it was."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from bluesky import RunEngine
from bluesky.utils import FailedStatus, RequestAbort

from gnomon.clients.server_choice import Target
from gnomon.lattice import Ring
from gnomon.procedures.documents import Run
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.measuring import MeasureOptions, PendingMeasurement, prepare_measurement
from gnomon.procedures.queueing.measuring_plan import measuring_plan
from unit.procedures.noisy_ring import NoisyRing
from unit.procedures.plans.fake_ring import FakeSession, fake_devices


class Served(FakeSession):
    """A session with a client, which counts how often it was closed."""

    machine = "bessy2"

    def __init__(self, ring: NoisyRing) -> None:
        super().__init__(ring)
        self.closed = 0
        self.client = SimpleNamespace(close=self._close, target=Target("T:"))

    def _close(self) -> None:
        self.closed += 1


class Desk:
    """A ring, and the plan that measures its orbit response; `kept` and `said` are what came of it."""

    def __init__(self, ring: Ring) -> None:
        self.ring = NoisyRing(ring.nominal, 1)
        self.session: Any = Served(self.ring)
        self.devices = fake_devices(self.ring)
        self.kept: list[Run] = []
        self.said: list[str] = []

    def plan(self, *names: str, **options: Any) -> Any:
        chosen = MeasureOptions(devices=names or ("HS4P1D1R", "VS3P1D1R"), **options)

        def prepare(session: Any, devices: Any, recording: Any) -> PendingMeasurement:
            return prepare_measurement("orm", session, devices, chosen, recording)

        return measuring_plan("orm", prepare, self.devices, lambda: self.session, self.kept.append, self.said.append)


@pytest.fixture
def desk(bessy2: Ring) -> Iterator[Desk]:
    made = Desk(bessy2)
    before = made.ring.lattice.id
    yield made
    assert made.ring.lattice.id == before
    assert made.session.closed == 1


@pytest.fixture
def engine() -> Any:
    return RunEngine({}, context_managers=[])


def test_the_run_is_kept_and_named_in_the_start_document(desk: Desk, engine: Any) -> None:
    starts = []
    engine(desk.plan(note="n"), {"start": lambda _, document: starts.append(document)})
    (run,), (start,) = desk.kept, starts
    assert (run.status, run.note, run.procedure) == ("done", "n", "orm")
    assert len(run.data["x_mm"]) == 6
    assert run.outcome is not None
    assert start["gnomon"]["run"] == run.name
    assert start["gnomon"]["lattice_id"] == desk.ring.lattice.id
    assert desk.said[-1] == "orm: 6 of 6 readings"


def test_a_measurement_without_a_beam_is_kept_with_its_reason(desk: Desk, engine: Any) -> None:
    with pytest.raises(FailedStatus):
        engine(desk.plan(move_mm=300.0))
    (run,) = desk.kept
    assert run.status == "failed"
    assert run.reason
    assert run.data["rows"]


def test_an_abort_keeps_what_was_measured_and_puts_back(
    desk: Desk, engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = desk.devices.supplies["VS3P1D1R"]

    def aborted(value: float) -> None:
        monkeypatch.delattr(second, "set")
        raise RequestAbort

    monkeypatch.setattr(second, "set", aborted, raising=False)
    engine(desk.plan())
    (run,) = desk.kept
    assert run.status == "stopped"
    assert len(run.data["rows"]) == 1


def test_an_unknown_device_is_told_before_anything_is_set(desk: Desk, engine: Any) -> None:
    with pytest.raises(ProcedureError, match="NOBODY"):
        engine(desk.plan("NOBODY"))
    assert not desk.kept
