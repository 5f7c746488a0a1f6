"""Corrections act through one function: on a twin one command, on a machine with a replay's checks, all or none."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from gnomon.db import expand, pv_document, read_pvs, shipped_machine
from gnomon.lattice import Key, Lattice, Ring
from gnomon.propagator import Propagator
from gnomon.recorder import RemoteError, ReplayError
from gnomon.recorder.apply import (
    Applied,
    MachineTarget,
    SetStep,
    TwinTarget,
    apply,
    at_model,
    hidden_changes,
    plan_of_steps,
)
from gnomon.recorder.remote import Reply
from gnomon.recorder.replay_execution import ReplayOptions
from gnomon.recorder.replay_steps import Beam
from gnomon.recorder.review import Assignment
from unit.recorder.fake_machine import FakeMachine, FakePv, ListAudit


@pytest.fixture(scope="module")
def bessy2() -> Ring:
    return shipped_machine("bessy2")


KEYS: list[Key] = [("HS4P1D1R", "current"), ("VS3P1D1R", "current")]


class Twin:
    def __init__(self, refusal: str = "") -> None:
        self.refusal = refusal
        self.got: list[tuple[str, Sequence[Assignment], str]] = []

    def send(self, prefix: str, assignments: Sequence[Assignment], note: str) -> Reply:
        if self.refusal:
            raise RemoteError(self.refusal)
        self.got.append((prefix, assignments, note))
        return Reply("abc", "")


def test_a_twin_gets_all_settings_as_one_command(bessy2: Ring) -> None:
    twin = Twin()
    steps = [SetStep(KEYS[0], 0.1), SetStep(KEYS[1], -0.2)]
    done = apply(steps, TwinTarget(twin, "T:", bessy2.nominal), "note")
    assert done == Applied(2, "abc")
    ((prefix, assignments, note),) = twin.got
    assert (prefix, note) == ("T:", "note")
    assert [(a.device, a.setting, a.now, a.value) for a in assignments] == [
        ("HS4P1D1R", "current", 0.0, 0.1), ("VS3P1D1R", "current", 0.0, -0.2),
    ]  # fmt: skip


def test_a_refusal_is_raised_and_nothing_or_twice_the_same_is_not_sent(bessy2: Ring) -> None:
    with pytest.raises(RemoteError, match="too much"):
        apply([SetStep(KEYS[0], 0.1)], TwinTarget(Twin("too much"), "T:", bessy2.nominal))
    assert apply([], TwinTarget(Twin("never asked"), "T:", bessy2.nominal)) == Applied(0)
    with pytest.raises(ReplayError, match="given twice"):
        apply([SetStep(KEYS[0], 0.1), SetStep(KEYS[0], 0.2)], TwinTarget(Twin(), "T:", bessy2.nominal))


def specs(ring: Ring) -> Any:
    return expand(read_pvs("bessy2", pv_document), ring, "M:")


def test_large_changes_go_in_rounds_in_which_every_setting_goes_the_same_part_of_the_way(bessy2: Ring) -> None:
    steps = [SetStep(KEYS[0], 4.0), SetStep(KEYS[1], 0.4)]
    plan = plan_of_steps(steps, "M:", bessy2.nominal, specs(bessy2), Propagator(bessy2), 0.1)
    assert [step.pv for step in plan.steps] == ["M:HS4P1D1R:set", "M:VS3P1D1R:set"] * 3
    assert plan.steps[-2].target == 4.0
    assert plan.steps[-1].target == 0.4
    assert max(abs(step.target - step.start) / step.range for step in plan.steps) <= 0.1
    assert plan.steps[0].target / 4.0 == pytest.approx(plan.steps[1].target / 0.4)
    with pytest.raises(ReplayError, match="nothing to do"):
        plan_of_steps([SetStep(KEYS[0], 0.0)], "M:", bessy2.nominal, specs(bessy2), Propagator(bessy2), 0.1)


def test_more_rounds_are_made_where_the_beam_would_be_lost_between_two_writes(bessy2: Ring) -> None:
    # Alone, each of both moves the tune to the next integer; together they leave it where it is.
    keys: list[Key] = [("Q3PD1R", "current"), ("Q4PD1R", "current")]

    def unstable(lattice: Lattice) -> Beam:
        one, other = ((lattice[key] - bessy2.nominal[key]) for key in keys)
        return replace(fine, found=False, reason="lost") if abs(one + other) > 1.0 else fine

    fine = Propagator(bessy2)(bessy2.nominal)
    nominal = bessy2.nominal
    steps = [SetStep(keys[0], nominal[keys[0]] + 3.0), SetStep(keys[1], nominal[keys[1]] - 3.0)]
    plan = plan_of_steps(steps, "M:", nominal, specs(bessy2), unstable, 0.1)
    assert len(plan.steps) == 8
    assert all(prediction.found for prediction in plan.predictions)


def test_the_beam_of_a_machine_is_asked_for_about_the_model(bessy2: Ring) -> None:
    present = bessy2.nominal.updated({KEYS[0]: 3.0})
    model = bessy2.nominal
    found: list[Lattice] = []

    def beam(lattice: Lattice) -> Beam:
        found.append(lattice)
        return Propagator(bessy2)(lattice)

    beam_at = at_model(beam, present, model)
    beam_at(present)
    beam_at(present.updated({KEYS[0]: 3.1, KEYS[1]: 0.2}))
    assert found[0].id == model.id
    assert found[1][KEYS[0]] == pytest.approx(0.1)
    assert found[1][KEYS[1]] == 0.2


def machine(bessy2: Ring) -> FakeMachine:
    """Every setpoint and readback of the document at its nominal value."""
    pvs: dict[str, FakePv] = {}
    for spec in specs(bessy2):
        if spec.source == "set" and spec.drive is not None:
            value = bessy2.nominal[spec.device, spec.property] * spec.scale
            low, high = spec.drive
            pvs[spec.name] = FakePv(value, low, high)
            pvs[spec.name.replace(":set", ":rdbk")] = FakePv(value, low, high, follows=spec.name)
    return FakeMachine(pvs)


def target(bessy2: Ring, fake: FakeMachine, audit: ListAudit) -> MachineTarget:
    options = ReplayOptions(timeout_s=0.1, settle_s=0.1)
    return MachineTarget(
        fake, "M:", bessy2.nominal, specs(bessy2), Propagator(bessy2), audit, lambda *_: None, options
    )  # fmt: skip


def test_a_machine_gets_one_verified_write_after_the_other(bessy2: Ring) -> None:
    fake, audit = machine(bessy2), ListAudit()
    done = apply([SetStep(KEYS[0], 0.1), SetStep(KEYS[1], -0.2)], target(bessy2, fake, audit), "note")
    assert done.done == 2
    assert fake.puts == [("M:HS4P1D1R:set", 0.1), ("M:VS3P1D1R:set", -0.2)]
    assert audit.events[0][0] == "apply"


def test_changes_that_a_readback_cannot_show_are_left_out_and_said(bessy2: Ring) -> None:
    fake = machine_beside(bessy2)
    done = apply([SetStep(KEYS[0], 0.1), SetStep(KEYS[1], 1.9e-4)], target(bessy2, fake, ListAudit()))
    assert fake.puts == [("M:HS4P1D1R:set", 0.1)]
    assert done.done == 1
    assert done.text.endswith("left out, too small for what readbacks show: VS3P1D1R")
    done = apply([SetStep(KEYS[1], 1.9e-4)], target(bessy2, machine_beside(bessy2), ListAudit()))
    assert (done.done, done.text) == (0, "left out, too small for what readbacks show: VS3P1D1R")


def machine_beside(bessy2: Ring) -> FakeMachine:
    """Readbacks stand 20 uA beside their settings."""
    fake = machine(bessy2)
    for pv in ("M:HS4P1D1R:rdbk", "M:VS3P1D1R:rdbk"):
        fake.pvs[pv].error = 2e-5
    return fake


def test_a_change_is_hidden_by_its_size_in_a_single_step_and_by_what_is_usual() -> None:
    change = {KEYS[1]: (0.0, 0.1)}
    assert hidden_changes(change, {KEYS[1]: (0.011, 10.0)}, 1) == (KEYS[1],)
    assert hidden_changes(change, {KEYS[1]: (0.007, 10.0)}, 1) == ()
    assert hidden_changes(change, {KEYS[1]: (0.007, 10.0)}, 2) == (KEYS[1],)
    others = {(f"S{n}", "current"): (0.001 * n, 10.0) for n in range(1, 11)}
    assert hidden_changes(change, others | {KEYS[1]: (0.0, 10.0)}, 1) == (KEYS[1],)  # others are rounded more
    assert hidden_changes({KEYS[1]: (0.0, 0.15)}, others | {KEYS[1]: (0.0, 10.0)}, 1) == ()
    assert hidden_changes(change, {KEYS[0]: (1.0, 10.0)}, 1) == ()  # its own readback stands elsewhere altogether


def test_a_machine_on_which_a_readback_does_not_follow_gets_everything_back(bessy2: Ring) -> None:
    fake, audit = machine(bessy2), ListAudit()
    fake.pvs["M:VS3P1D1R:rdbk"].stuck = True
    with pytest.raises(ReplayError, match=r"stopped after 1 of 2 steps.*put back: .*M:HS4P1D1R:set"):
        apply([SetStep(KEYS[0], 0.1), SetStep(KEYS[1], -0.2)], target(bessy2, fake, audit))
    assert fake.pvs["M:HS4P1D1R:set"].value == 0.0


def test_a_machine_whose_settings_are_not_those_that_were_read_is_not_written(bessy2: Ring) -> None:
    fake = machine(bessy2)
    fake.pvs["M:Q1PDR:set"].value += 1.0
    with pytest.raises(ReplayError, match="Q1PDR"):
        apply([SetStep(KEYS[0], 0.1)], target(bessy2, fake, ListAudit()))
    assert fake.puts == []
