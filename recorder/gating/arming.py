"""Arming: from a recording and the approval of another person to a token, and to what the gate then allows."""

from collections.abc import Sequence

from gnomon.recorder.bounds import Reading
from gnomon.recorder.gating.token_desk import TokenDesk
from gnomon.recorder.gating.verdict import Approved, ApprovedStep
from gnomon.recorder.recorder_errors import AuthorityError
from gnomon.recorder.recordings import Approval, Recording, RecordingFile, trouble_of
from gnomon.recorder.replay_steps import Plan

__all__ = ["approved_of", "arm", "valid_approval"]


def valid_approval(recording: Recording, approvals: Sequence[Approval], limits: str) -> Approval:
    """Find the newest approval that counts with the limits file of the digest `limits`.

    Raises AuthorityError with the reason against each if there is none.
    """
    troubles = [
        (approval, trouble_of(approval, recording) or _limits_trouble(approval, limits)) for approval in approvals
    ]
    good = [approval for approval, trouble in troubles if not trouble]
    if good:
        return max(good, key=lambda approval: approval.time)
    reasons = "; ".join(trouble for _, trouble in troubles) or "nobody has approved it"
    raise AuthorityError(
        f"recording {recording.name!r}: {reasons}; someone else than {recording.author} reviews it, and then runs "
        f"gnomon review approve {recording.name} --limits FILE"
    )


def _limits_trouble(approval: Approval, limits: str) -> str:
    if approval.limits == limits:
        return ""
    if not approval.limits:
        return f"{approval.reviewer} has approved it without a limits file"
    return (
        f"{approval.reviewer} has approved it with the limits file {approval.limits[:12]}, and this one is "
        f"{limits[:12] or 'of no digest'}: it was edited since, or is another one"
    )


def arm(desk: TokenDesk, file: RecordingFile, prefix: str, limits: str) -> str:
    """Make the token that arms one replay of an approved recording to a prefix, with the limits file of that digest.

    Raises AuthorityError.
    """
    recording = file.recording
    approval = valid_approval(recording, file.approvals, limits)
    return desk.issue(
        recording=recording.id,
        machine=recording.machine,
        prefix=prefix,
        author=recording.author,
        reviewer=approval.reviewer,
        limits=limits,
    )


def approved_of(recording: Recording, plan: Plan, reference: Reading, optics_digest: str) -> Approved:
    """Make what the gate compares commands with, from a recording and its plan for the prefix that is written.

    `reference` is the orbit to which limits are relative and the tunes at the start, `optics_digest` that of the
    settings at the start, as the calibration counts it.
    """
    return Approved(
        id=recording.id,
        machine=recording.machine,
        document_digest=recording.digest,
        optics_digest=optics_digest,
        steps=tuple(ApprovedStep(step.pv, step.unit, step.start, step.target) for step in plan.steps),
        starts=plan.starts,
        reference=reference,
        calibration_id=recording.calibration_id,
    )
