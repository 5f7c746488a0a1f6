"""A state file that does not agree with recording, limits file and audit log is not trusted."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gnomon.recorder.gate import GateLimits
from gnomon.recorder.replaying.replay_state import Phase, ReplayState, WrittenPart, after
from gnomon.recorder.replaying.state_doubts import AuditedPart, audited_parts, compact_parts, doubts_of
from gnomon.recorder.rollback import facts
from unit.recorder.replaying.simulated_machine import make_plan

PLAN = make_plan((0, 0.3), (1, -0.2))
START = ReplayState(id="1", recording="a" * 64, name="bump", machine="mls", prefix="M:")
FIRST = replace(PLAN.steps[0], target=0.1, asked=0.1)
SECOND = replace(PLAN.steps[0], start=0.1)
OTHERS = {"event": "write", "replay": "2", "pv": "x"}


def events() -> list[dict[str, Any]]:
    """Two writes of the first step, the first of them measured, and what belongs to another replay."""
    return [
        OTHERS,
        {"event": "gate", "replay": "1", "written": []},
        *(
            {"event": event, "replay": "1", **facts(step), "number": 0, "put_back": step.start}
            for step, names in ((FIRST, ("write", "sent", "verified", "measured")), (SECOND, ("write", "sent")))
            for event in names
        ),
    ]


def state() -> ReplayState:
    return START.model_copy(
        update={
            "written": tuple(
                WrittenPart(number=0, step=step, shown=step.start, before=step.start, phase=phase)
                for step, phase in ((FIRST, Phase.MEASURED), (SECOND, Phase.SENT))
            )
        }
    )


def doubts(of: ReplayState, audited: list[AuditedPart] | None, low: float = -1.0) -> tuple[str, ...]:
    pv = PLAN.steps[0].pv
    return doubts_of(of, PLAN, lambda name: (low, 1.0) if name == pv else None, GateLimits(), audited)


def edited(change: Callable[[WrittenPart], WrittenPart]) -> ReplayState:
    first, second = state().written
    return state().model_copy(update={"written": (first, change(second))})


def with_step(**changed: Any) -> ReplayState:
    return edited(lambda part: part.model_copy(update={"step": replace(part.step, **changed)}))


def test_a_state_that_is_in_the_audit_is_trusted() -> None:
    found = audited_parts(events(), "1")
    assert found == compact_parts(state().written)
    assert doubts(state(), found) == ()


@pytest.mark.parametrize("missing", ["write", "sent", "not_sent"])
def test_the_state_may_be_one_event_ahead_of_the_audit(missing: str) -> None:
    known = events()
    told = state()
    if missing == "not_sent":
        known, told = known[:-1], after(told, "not_sent", {})
    else:
        known = known[: -1 if missing == "sent" else -2]
        told = edited(lambda part: part.model_copy(update={"phase": Phase.INTENDED})) if missing == "write" else told
    assert doubts(told, audited_parts(known, "1")) == ()
    assert doubts(state(), audited_parts(events()[:-3], "1")), "two events ahead"


@pytest.mark.parametrize(
    ("told", "text"),
    [
        (edited(lambda part: part.model_copy(update={"before": 0.9})), "0.9 A, but its write began at 0.1"),
        (with_step(start=0.9), "0.9 A, but step 1 of the recording goes from 0 to 0.3"),
        (with_step(target=-0.3), "-0.3 A, but step 1 of the recording"),
        (with_step(pv=PLAN.steps[1].pv), "step 1 of the recording is another one"),
        (with_step(readback=PLAN.steps[1].readback), "step 1 of the recording is another one"),
        (edited(lambda part: part.model_copy(update={"number": 7})), "it is said to be of step 8"),
        (with_step(start=0.2), "in the audit log it is"),
        (edited(lambda part: part.model_copy(update={"phase": Phase.RESTORED})), "is restored, in the audit log sent"),
        (edited(lambda part: part.model_copy(update={"phase": Phase.VERIFIED})), ""),
        (state().model_copy(update={"written": state().written[:1]}), "it has 1 writes, the audit log 2"),
        (state().model_copy(update={"written": (*state().written, state().written[1])}), "it has 3 writes"),
    ],
)
def test_each_edit_is_named(told: ReplayState, text: str) -> None:
    found = doubts(told, audited_parts(events(), "1"))
    assert text in "; ".join(found)
    assert bool(found) is bool(text)  # one phase further is what a kill leaves


def test_values_outside_of_the_limits_file_and_an_unknown_replay_are_named() -> None:
    assert "the limits file allows 0.05 to 1 A" in "; ".join(doubts(state(), audited_parts(events(), "1"), low=0.05))
    assert doubts(state(), audited_parts([OTHERS], "1")) == ("the audit log does not know this replay",)
    assert "no row of the limits file names it" in "; ".join(
        doubts_of(state(), PLAN, lambda pv: None, GateLimits(), audited_parts(events(), "1"))
    )


def test_events_count_from_the_writes_that_a_later_process_has_found() -> None:
    found = compact_parts(state().written[:1])
    known = [*events(), {"event": "gate", "replay": "1", "written": found}]
    assert audited_parts(known, "1") == found
    back = {"event": "restored", "replay": "1", **facts(FIRST)}
    (part,) = audited_parts([*known, back], "1") or []
    assert part["phase"] == "restored"
