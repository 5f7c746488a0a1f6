"""Arming: an approval by someone else, its signature, and what the gate then compares commands with."""

from pathlib import Path

import pytest

from gnomon.recorder.gating import TokenDesk, approved_of, arm, valid_approval
from gnomon.recorder.recorder_errors import AuthorityError
from gnomon.recorder.recordings import (
    Approval,
    RecordedChange,
    RecordedStep,
    Recording,
    RecordingContent,
    RecordingFile,
    StartState,
    own_key,
    seal,
    verify,
)
from gnomon.recorder.replay_steps import Plan, Start, Step
from unit.recorder.gating.situations import reading_at

PREFIX = "MACHINE:"
#: Digest of the limits file.
LIMITS = "1" * 64


def recording(target: float = 0.1, author: str = "ann@a") -> Recording:
    """A recording of one step."""
    change = RecordedChange(
        pv="HS1:set", device="HS1", property="current", unit="A", old=0.0, new=target,
        setting="current", setting_old=0.0, setting_new=target,
    )  # fmt: skip
    start = StartState(lattice_id="x", optics="", settings=(), tunes=None, orbit=(), reference=())
    return seal(
        RecordingContent(
            name="bump", purpose="a test", author=author, made="2026-11-27T12:00:00Z", parent="", machine="toy",
            digest="document", prefix="TWIN:", calibration_id="calibration", usual=(), start=start,
            steps=(RecordedStep(sequence=1, wall_ns=0, changes=(change,), note="", who="ann@a"),),
        )
    )  # fmt: skip


def approval(
    of: Recording, tmp_path: Path, reviewer: str = "bob@b", key: str = "key", limits: str = LIMITS
) -> Approval:
    return own_key(tmp_path / key)[0].approve(of, reviewer, 10**18, limits)


def test_the_newest_approval_of_someone_else_counts(tmp_path: Path) -> None:
    made = recording()
    own = approval(made, tmp_path, "ann@b")
    good = approval(made, tmp_path, key="other")
    assert valid_approval(made, [own, good], LIMITS) == good
    with pytest.raises(AuthorityError, match="the reviewer is the author"):
        valid_approval(made, [own], LIMITS)
    with pytest.raises(AuthorityError, match="nobody has approved it"):
        valid_approval(made, [], LIMITS)


def test_an_edited_recording_has_no_approval(tmp_path: Path) -> None:
    """An edited file is refused when it is read; with its new id, the old approval is for another recording."""
    old = approval(recording(), tmp_path)
    edited = recording(target=1.0)
    with pytest.raises(AuthorityError, match="it is for recording"):
        valid_approval(edited, [old], LIMITS)
    moved = old.model_copy(update={"recording": edited.id})
    with pytest.raises(AuthorityError, match="changed or forged"):
        valid_approval(edited, [moved], LIMITS)
    with pytest.raises(AuthorityError, match="changed or forged"):
        valid_approval(recording(), [old.model_copy(update={"reviewer": "eve@a"})], LIMITS)


def test_a_token_of_one_recording_does_not_arm_another(tmp_path: Path) -> None:
    desk, made = TokenDesk(tmp_path / "arming"), recording()
    token = arm(desk, RecordingFile(recording=made, approvals=(approval(made, tmp_path),)), PREFIX, LIMITS)
    approved = approved_of(made, plan(), reading_at(0.0), "optics")
    edited = approved_of(recording(target=1.0), plan(), reading_at(0.0), "optics")
    with pytest.raises(AuthorityError, match="the token is for the recording"):
        desk.redeem(token, edited, PREFIX)
    with pytest.raises(AuthorityError, match="the token is for the prefix"):
        desk.redeem(token, approved, "OTHER:")
    authority = desk.redeem(token, approved, PREFIX)
    assert (authority.author, authority.reviewer, authority.limits_digest) == ("ann@a", "bob@b", LIMITS)


def test_an_approval_counts_with_the_limits_file_that_was_signed(tmp_path: Path) -> None:
    made = recording()
    good = approval(made, tmp_path)
    with pytest.raises(AuthorityError, match=r"limits file 111111111111, and this one is 222222222222: it was edited"):
        valid_approval(made, [good], "2" * 64)
    without = approval(made, tmp_path, limits="")
    with pytest.raises(AuthorityError, match=r"without a limits file; .* gnomon review approve bump --limits FILE"):
        valid_approval(made, [without], LIMITS)
    verify(without, made)  # signed before limits were: it is still what was signed
    with pytest.raises(AuthorityError, match="changed or forged"):
        valid_approval(made, [good.model_copy(update={"limits": "2" * 64})], "2" * 64)
    with pytest.raises(AuthorityError, match="edited since"):
        arm(TokenDesk(tmp_path / "arming"), RecordingFile(recording=made, approvals=(good,)), PREFIX, "2" * 64)


def test_the_approved_steps_are_those_of_the_plan() -> None:
    made = recording()
    approved = approved_of(made, plan(), reading_at(0.0), "optics")
    assert approved.id == made.id
    assert approved.steps is not None
    (step,) = approved.steps
    assert (step.pv, step.unit, step.start, step.target) == ("MACHINE:HS1:set", "A", 0.0, 0.1)
    assert approved.starts == plan().starts
    assert (approved.machine, approved.document_digest, approved.calibration_id) == ("toy", "document", "calibration")


def plan() -> Plan:
    step = Step(1, 0, "MACHINE:HS1:set", "MACHINE:HS1:rdbk", "A", 0.0, 0.1, 0.1, -10.0, 10.0)
    return Plan((step,), (), (Start("MACHINE:HS1:set", "A", 0.0, 20.0),))
