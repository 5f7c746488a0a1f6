"""Synchrotron motion, beam sizes, current and lifetime of the MLS, as its PVs show them after results."""

import math
from dataclasses import replace

import pytest

from gnomon.db import shipped_document, shipped_machine
from gnomon.db.machines import pv_document
from gnomon.db.templates import expand, read_pvs
from gnomon.ioc.outputs import stored_beam_outputs
from gnomon.ioc.outputs.bank import Bank, Reading, Severity
from gnomon.ioc.outputs.model_state import ModelState
from gnomon.ioc.outputs.outputs import Outputs
from gnomon.lattice import DocumentError, Lattice, Ring
from gnomon.propagator import Answer, Propagator

RING = shipped_machine("mls")
MOTION = ("TUNEZRP:measZ", "cumz4x003gp:tuneSyn")
LIFETIME = ("CUM1ZK3RP:rdLt10", "CUM1ZK3RP:rdLt100", "OPCHECKCCP:calcCurrLife")
SIZES = ("QPD01ZL2RP:rdSigmaX", "QPD01ZL2RP:rdSigmaY", "QPD00ZL4RP:rdSigmaX", "QPD00ZL4RP:rdSigmaY")
CURRENT = "CUM1ZK3RP:measCur"


class Shown:
    """Outputs with a clock that the test moves; starts with the nominal lattice's result."""

    def __init__(self, ring: Ring = RING) -> None:
        self.seconds = 1000.0
        self.ring = ring
        self.bank = Bank(expand(read_pvs(ring.name, pv_document), self.ring, ""), 0)
        self.outputs = Outputs(self.bank, self.ring, ModelState(len(ring.bpms)), lambda: int(self.seconds * 1e9))
        self.outputs.start(self.ring.nominal)
        self._propagate = Propagator(self.ring)
        self._generation = 0
        self.result(self.ring.nominal)

    def result(self, lattice: Lattice) -> None:
        self._answer(Answer(self._generation + 1, 1, lattice, self._propagate(lattice), "", 1e-3))

    def failure(self) -> None:
        self._answer(Answer(self._generation + 1, 1, self.ring.nominal, None, "the model failed"))

    def _answer(self, answer: Answer) -> None:
        self._generation = answer.generation
        self.outputs.publish(answer)

    def wait(self, seconds: int) -> None:
        for _ in range(seconds):
            self.seconds += 1.0
            self.outputs.repeat()

    def __getitem__(self, name: str) -> Reading:
        return self.bank.reading(self.bank.index[name])

    def severities(self, *names: str) -> set[Severity]:
        return {self[name].severity for name in names}


@pytest.fixture
def shown() -> Shown:
    return Shown()


def test_all_outputs_have_the_generation_of_the_orbit(shown: Shown) -> None:
    shown.result(RING.optics["low_emittance"])
    assert shown.severities(*MOTION, *LIFETIME, *SIZES, CURRENT) == {Severity.NO_ALARM}
    assert {shown[name].generation for name in (*MOTION, *SIZES)} == {shown["beam:orbit:x"].generation}


def test_sizes_follow_the_optics_and_a_supply(shown: Shown) -> None:
    nominal = [shown[name].value for name in SIZES]
    shown.result(RING.nominal.updated({("Q1P1L2RP", "current"): RING.nominal["Q1P1L2RP", "current"] * 1.01}))
    assert all(shown[name].value != before for name, before in zip(SIZES, nominal, strict=True))
    shown.result(RING.optics["low_emittance"])
    assert shown[SIZES[0]].value < 0.5 * nominal[0]


def test_lifetime_is_shorter_with_a_smaller_beam(shown: Shown) -> None:
    assert shown[LIFETIME[0]].value == pytest.approx(1.0 / (1 / 20 + 1 / 10), rel=1e-6)
    shown.result(RING.optics["low_emittance"])
    shown.wait(20)
    assert shown[LIFETIME[0]].value < shown[LIFETIME[1]].value < 4.0
    product = 1e-3 * shown[CURRENT].value * shown[LIFETIME[0]].value
    assert shown[LIFETIME[2]].value == pytest.approx(product)


def test_the_current_falls_is_lost_with_the_beam_and_comes_back(shown: Shown) -> None:
    shown.wait(60)
    assert 149.0 < shown[CURRENT].value < 150.0
    quadrupoles = {(s.name, "current"): 0.0 for s in RING.document.supplies if s.name.startswith("Q")}
    shown.result(RING.nominal.updated(quadrupoles))
    assert shown["beam:orbit:found"].value == 0
    assert (shown[CURRENT].value, shown[CURRENT].severity) == (0.0, Severity.NO_ALARM)
    assert shown.severities(*MOTION, *LIFETIME, *SIZES) == {Severity.INVALID}
    shown.result(RING.nominal)
    assert shown[CURRENT].value == 150.0
    assert shown.severities(*MOTION, *LIFETIME, *SIZES, CURRENT) == {Severity.NO_ALARM}


def test_too_low_a_voltage_loses_the_beam_and_leaves_the_orbit(shown: Shown) -> None:
    shown.result(RING.nominal.updated({("rf", "voltage"): 5.0}))
    assert shown.severities(*MOTION, *LIFETIME) == {Severity.INVALID}
    assert shown.severities("TUNEZRP:measX", "beam:orbit:x", *SIZES, CURRENT) == {Severity.NO_ALARM}
    assert shown[CURRENT].value == 0.0


def test_the_current_is_unknown_while_the_model_fails_and_goes_on_after(shown: Shown) -> None:
    shown.wait(60)
    before = shown[CURRENT].value
    shown.failure()
    assert shown.severities(*MOTION, *LIFETIME, *SIZES, CURRENT) == {Severity.INVALID}
    shown.seconds += 60.0
    shown.result(RING.nominal)
    assert shown.severities(*MOTION, *LIFETIME, *SIZES, CURRENT) == {Severity.NO_ALARM}
    assert before - 0.5 < shown[CURRENT].value < before


def test_top_up_is_counted_down_and_its_gate_opens_around_it() -> None:
    shown = Shown(shipped_machine("bessy2"))
    countdown, gate, current = "TOPUPCC:estCntDwnS", "TOPUPCC:stBlankout2", "MDIZ3T5G:current"
    seen = []
    shown.seconds += 0.25
    for _ in range(130):
        shown.wait(1)
        seen.append((shown[countdown].value, shown[gate].value, shown[current].value))
    waits = [row[0] for row in seen]
    injections = [i for i in range(1, len(seen)) if seen[i][2] > seen[i - 1][2]]
    assert [waits[i - 1] for i in injections] == pytest.approx([0.75, 0.75], abs=1e-6)
    assert {i for i, row in enumerate(seen) if row[1]} == {j for i in injections for j in (i - 1, i)}
    assert shown["MDIZ3T5G:lt10"].value == pytest.approx(1.0 / (1 / 60 + 1 / 10), rel=1e-3)
    shown.result(shown.ring.nominal.updated({("Q1PDR", "current"): 0.0}))
    assert (shown[gate].value, shown[gate].severity) == (0, Severity.NO_ALARM)
    assert shown.severities(countdown, "MDIZ3T5G:lt10") == {Severity.INVALID}
    shown.failure()
    assert shown.severities(countdown, gate, current) == {Severity.INVALID}


def test_a_size_at_no_source_point_is_refused_with_the_template() -> None:
    bare = Ring(shipped_document("mls").model_copy(update={"source_points": ()}))
    with pytest.raises(DocumentError, match="mls: there is no source point 'QPD01ZL2RP'"):
        expand(read_pvs("mls", pv_document), bare, "")


def test_the_beam_lives_and_dies_whether_or_not_a_pv_shows_it() -> None:
    bank = Bank(expand(read_pvs("plain", pv_document), RING, ""), 0)
    assert not any(spec.source.startswith("beam.current") for spec in bank.specs)
    seconds = 1000.0
    state = ModelState(len(RING.bpms))
    outputs = Outputs(bank, RING, state, lambda: int(seconds * 1e9))
    outputs.stored_beam.losses = lambda beam, equilibrium: 1e-2
    outputs.start(RING.nominal)
    beam = Propagator(RING)(RING.nominal)
    outputs.publish(Answer(1, 1, RING.nominal, beam, "", 1e-3))
    assert outputs.stored_beam.current_ma == RING.document.beam_current_ma
    assert state.readings is not None
    for _ in range(100):
        seconds += 0.1
        outputs.stored_beam.keep_up(state.readings, 1.0)
    expected = RING.document.beam_current_ma * math.exp(-0.1)
    assert outputs.stored_beam.current_ma == pytest.approx(expected, rel=0.01)
    outputs.publish(Answer(2, 1, RING.nominal, replace(beam, found=False, reason="lost"), "", 1e-3))
    assert outputs.stored_beam.current_ma == 0.0
    outputs.publish(Answer(3, 1, RING.nominal, beam, "", 1e-3))
    outputs.repeat()
    assert outputs.stored_beam.current_ma == RING.document.beam_current_ma


@pytest.mark.parametrize(("of_document", "stored"), [(0.0, 100.0), (150.0, 150.0)])
def test_a_current_is_assumed_where_the_document_has_none(of_document: float, stored: float) -> None:
    document = shipped_document("mls").model_copy(update={"beam_current_ma": of_document, "stored_beam": None})
    ring = Ring(document)
    outputs = Outputs(Bank((), 0), ring, ModelState(len(ring.bpms)), lambda: 10**12)
    outputs.stored_beam.assume_current(100.0)
    outputs.publish(Answer(1, 1, ring.nominal, Propagator(ring)(ring.nominal), "", 1e-3))
    assert outputs.stored_beam.current_ma == stored


def test_nobody_waits_for_a_compiler_in_the_event_loop(monkeypatch: pytest.MonkeyPatch, shown: Shown) -> None:
    called: list[str] = []
    monkeypatch.setattr(stored_beam_outputs, "compile_kernels", lambda: called.append("compiled"))
    monkeypatch.setattr(stored_beam_outputs, "nominal_volume", lambda ring: called.append(ring.name))
    shown.outputs.stored_beam.prepare()
    assert called == ["compiled", "mls"]
