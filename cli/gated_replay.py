"""A recording behind the gate: its dry run, its replay, and what to do with one whose process has ended."""

import secrets
import shlex
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from gnomon.cli.gate_parts import AUDIT, Chosen, GateParts, approved_parts, audit_of, desk_of, parts_of
from gnomon.cli.options import configure
from gnomon.cli.output import print_json, say
from gnomon.cli.replay_interrupts import Operator, interruptible

if TYPE_CHECKING:
    from rich.console import Console

    from gnomon.recorder.gating import Authority, MachineState
    from gnomon.recorder.replay_execution import MachineClient, ReplayOptions, Result
    from gnomon.recorder.replaying import BeamMeter, GatedSteps, LiveView, ReplayState, StateFile

NOT_PROTECTION = "the gate is not machine protection"

#: Makes the client of the machine with a prefix.
MakeMachine = Callable[[str], "MachineClient"]

#: Holds the lock of a prefix, for what is said; raises BusyError if another procedure or replay has it.
Alone = Callable[[str, str], AbstractContextManager[None]]


@dataclass(frozen=True)
class Waits:
    """Longest times: of one get or put, and of a readback."""

    timeout_s: float
    settle_s: float


def show_recording(name: str, chosen: Chosen, waits: Waits, make_machine: MakeMachine, *, as_json: bool) -> None:
    """Show the writes of a recording, decided as they would be; raises ReplayError if any would be refused."""
    from gnomon.recorder import ReplayError, rendering
    from gnomon.recorder.gating import Authority, Code, Rules
    from gnomon.recorder.replaying import LEGEND, RehearsalClock, record_of, rehearse, steps_table

    parts = parts_of(name, chosen)
    console = rendering.make_console(stderr=as_json)
    if parts.limits is None or parts.predictor is None:
        if not as_json:
            from gnomon.cli.range_replay import show_plan

            show_plan(parts.plan, console)
        raise ReplayError("nothing would be written:\n" + "\n".join(f"  {reason}" for reason in parts.missing))
    approved = approved_parts(parts)
    state, shown, of_machine = _present(parts, chosen.prefix, waits, make_machine)
    left_out = {Code.NOT_ARMED} if of_machine else {Code.NOT_ARMED, Code.CURRENT, Code.LIFETIME}
    clock = RehearsalClock(state.monotonic_s)
    rules = Rules(parts.limits, Authority(approved), clock.monotonic)
    records = [record_of(view, left_out) for view in rehearse(parts.commands, rules, parts.predictor, state, clock)]
    refused = list(dict.fromkeys(text for record in records for text in record.reasons))
    recording = parts.recording
    if as_json:
        from gnomon.recorder.replaying import write_document

        print_json({
            "recording": recording.id, "name": recording.name, "prefix": chosen.prefix, "state": shown,
            "calibration": parts.predictor.calibration_id, "limits": parts.limits.digest,
            "writes": [write_document(record) for record in records], "refusals": refused,
        })  # fmt: skip
        if refused:
            raise typer.Exit(1)
        return
    title = f"{recording.name} {recording.id[:12]}, {recording.machine}: {len(records)} writes to {chosen.prefix!r}"
    console.print(rendering.clean(f"{title}, from {shown}"))
    console.print(steps_table(records))
    console.print(LEGEND, markup=False)
    if not_checked := parts.limits.not_checked:
        console.print(rendering.clean(f"not checked, as the limits file says: {', '.join(not_checked)}"))
    console.print(f"dry run: nothing was written; {NOT_PROTECTION}", style="yellow")
    if refused:
        raise ReplayError("refused:\n" + "\n".join(f"  {text}" for text in refused))
    console.print(rendering.clean(f"next: {_next_command(parts, chosen)}"), soft_wrap=True)


def _next_command(parts: GateParts, chosen: Chosen) -> str:
    """Name the command after a dry run that refuses nothing: to arm it, or, before that, to have it approved."""
    from gnomon.recorder import AuthorityError
    from gnomon.recorder.gating import valid_approval

    assert parts.limits is not None, "checked before"
    limits = "" if chosen.limits is None else f" --limits {shlex.quote(str(chosen.limits))}"
    name = shlex.quote(parts.recording.name)
    try:
        valid_approval(parts.recording, parts.file.approvals, parts.limits.digest)
    except AuthorityError:
        return f"somebody else approves it: gnomon review approve {name}{limits}"
    return f"gnomon gate arm {name} --prefix {shlex.quote(chosen.prefix)}{limits}"


def write_recording(
    name: str, chosen: Chosen, waits: Waits, make_machine: MakeMachine, token: str, alone: Alone
) -> None:
    """Replay an approved recording. Raises ReplayError or FrozenError if it does not end where it should."""
    with alone(chosen.prefix, f"replay of {name}"):
        _write_recording(name, chosen, waits, make_machine, token)


def _write_recording(name: str, chosen: Chosen, waits: Waits, make_machine: MakeMachine, token: str) -> None:
    from gnomon.recorder import ReplayError, rendering
    from gnomon.recorder.gating import valid_approval
    from gnomon.recorder.replay_execution import carry_out
    from gnomon.recorder.replaying import KeptState, ReplayState, StateFile, SystemClock

    parts = parts_of(name, chosen)
    if parts.missing or parts.predictor is None or parts.limits is None:
        raise ReplayError("nothing was written:\n" + "\n".join(f"  {reason}" for reason in parts.missing))
    limits_digest = parts.limits.digest
    recording = parts.recording
    valid_approval(recording, parts.file.approvals, limits_digest)
    folder = configure(chosen.config).replays()
    _no_open_replay(folder, chosen.prefix)
    machine = make_machine(chosen.prefix)
    meter = _connected(parts, machine, waits)
    authority = desk_of(chosen).redeem(token, approved_parts(parts), chosen.prefix, limits_digest)
    state = ReplayState(
        id=f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}",
        recording=recording.id,
        name=recording.name,
        machine=recording.machine,
        prefix=chosen.prefix,
        author=authority.author,
        reviewer=authority.reviewer,
        token_id=authority.token_id,
        granted_ns=authority.granted_ns,
        granted_s=authority.granted_s,
        expires_ns=authority.expires_ns,
        calibration_id=parts.predictor.calibration_id,
        limits_digest=limits_digest,
    )
    file = StateFile(folder / f"{state.id}.json")
    console = rendering.make_console()
    console.print(
        rendering.clean(f"replay {state.id} of {recording.name} to {chosen.prefix!r}: {NOT_PROTECTION}"),
        style="bold yellow",
    )

    def run(session: "_Session") -> "Result":
        return carry_out(
            parts.plan, machine, session.options, session.kept, session.view.report, SystemClock(),
            uninterrupted=session.operator.listen, taken_over=session.operator.taken_over, gate=session.gate,
        )  # fmt: skip

    gate = _gate(parts, machine, meter, authority, waits)
    _carry_out(parts, chosen, waits, console, file, KeptState, state, gate, run)


def continue_replay(
    id: str, chosen: Chosen, waits: Waits, make_machine: MakeMachine, alone: Alone, *, back: bool
) -> None:
    """Continue a replay whose process has ended, or put `back` what it has written."""
    from gnomon.recorder.replaying import load_state

    path = _state_path(configure(chosen.config).replays(), id)
    state = load_state(path)
    with alone(state.prefix, f"{'roll-back' if back else 'replay'} of {state.name}"):
        _continue_replay(path, chosen, waits, make_machine, back=back)


def _continue_replay(path: Path, chosen: Chosen, waits: Waits, make_machine: MakeMachine, *, back: bool) -> None:
    from gnomon.recorder import rendering
    from gnomon.recorder.replaying import KeptState, StateFile, SystemClock, resume, roll_back

    file = StateFile(path)
    try:
        state = file.load()
        chosen = Chosen(
            state.prefix, chosen.config, chosen.machine, chosen.pvs, chosen.recordings, chosen.limits,
            chosen.calibration or state.calibration_id or None,
        )  # fmt: skip
        parts = parts_of(state.recording, chosen)
        # Putting back needs no right to write; to go on, the state file's word is not enough.
        authority = _stored_authority(state, parts) if back else _authority(state, parts, chosen)
        _no_doubts(state, parts, path)
        machine = make_machine(chosen.prefix)
        meter = _connected(parts, machine, waits)
        gate = _gate(parts, machine, meter, authority, waits)
        console = rendering.make_console()
        gate.way_back.recall(state.pending if back else ())
    except BaseException:
        file.close()
        raise

    def run(session: "_Session") -> "Result":
        operator = session.operator
        if back:
            return roll_back(
                session.kept, machine, session.options, session.view.report, SystemClock(), gate.way_back,
                operator.listen, operator.taken_over,
            )  # fmt: skip
        return resume(
            session.kept, parts.plan, machine, session.options, session.view.report, SystemClock(), gate,
            operator.listen, operator.taken_over,
        )  # fmt: skip

    _carry_out(parts, chosen, waits, console, file, KeptState, state, gate, run, asked_back=back)


@dataclass
class _Session:
    kept: Any
    view: "LiveView"
    operator: Operator
    options: "ReplayOptions"
    gate: "GatedSteps"


def _carry_out(
    parts: GateParts,
    chosen: Chosen,
    waits: Waits,
    console: "Console",
    file: "StateFile",
    kept_state: Any,
    state: "ReplayState",
    gate: "GatedSteps",
    run: "Callable[[_Session], Result]",
    *,
    asked_back: bool = False,
) -> None:
    """Run a replay with its audit, its view, its interrupts; then write the report and tell the end."""
    from gnomon.recorder.replay_execution import GateLimits, ReplayOptions
    from gnomon.recorder.replaying import LiveView, ReplayReport, compact_parts, write_report

    assert parts.limits is not None, "checked before"
    share = parts.limits.document.baseline.share
    options = ReplayOptions(GateLimits(max_step=1.0, tolerance=share), waits.timeout_s, waits.settle_s)
    audit = audit_of(file.path.parent)
    try:
        kept = kept_state(file, state, audit)
        audit.note("gate", {
            "written": compact_parts(state.written), "replay": state.id,
            "recording": state.recording, "machine": state.machine, "prefix": state.prefix,
            "limits": parts.limits.digest, "calibration": state.calibration_id, "token": state.token_id,
            "author": state.author, "reviewer": state.reviewer, "not_checked": list(parts.limits.not_checked),
            "put_back": asked_back,
        })  # fmt: skip
        with interruptible() as operator, LiveView(console) as view:
            gate.observer = view.observe
            result = run(_Session(kept, view, operator, options, gate))
        report = ReplayReport(
            kept.state, result, tuple(view.records), tuple(gate.way_back.remarks), parts.limits.digest, str(audit.path)
        )
        written = write_report(report, file.path.parent)
    finally:
        audit.close()
        file.close()
    _conclude(result, report.outcome, written[1], audit.path, asked_back=asked_back)


def _conclude(result: "Result", outcome: str, report: Path, audit: Path, *, asked_back: bool) -> None:
    from gnomon.recorder import FrozenError, ReplayError

    text = f"{outcome}\nreport: {report}\naudit log, for gnomon audit verify: {audit}"
    if result.frozen or result.left:
        values = "\n".join(f"  {left}" for left in result.left)
        raise FrozenError(f"CALL THE OPERATOR. {text}\nNOT put back:\n{values}")
    if result.restored:
        text = f"{text}\nput back: {', '.join(dict.fromkeys(result.restored))}"
    if result.failure and not asked_back:
        raise ReplayError(text)
    say(text)


def _present(
    parts: GateParts, prefix: str, waits: Waits, make_machine: MakeMachine
) -> "tuple[MachineState, str, bool]":
    """Read the machine as it is; if it does not answer, take the state with which the recording began.

    Returns the state, what it is, and True if it is that of the machine.
    """
    from gnomon.recorder import MachineError
    from gnomon.recorder.gating import Authority
    from gnomon.recorder.replaying import recorded_state

    approved = approved_parts(parts)
    machine = make_machine(prefix)
    try:
        meter = _connected(parts, machine, waits)
        gate = _gate(parts, machine, meter, Authority(approved), waits)
        return gate.state_of_all(), "the machine as it is", True
    except MachineError as error:
        state = recorded_state(parts.plan, parts.commands, approved.reference, time.time_ns())
        text = f"the recorded start, for the machine does not answer ({error}); current and lifetime are not known"
        return state, text, False


def _connected(parts: GateParts, machine: "MachineClient", waits: Waits) -> "BeamMeter":
    """Connect to all PVs of a replay. Raises MachineError for those that do not answer."""
    from gnomon.recorder import MachineError
    from gnomon.recorder.replaying import NEW_READINGS_S, BeamMeter, SystemClock, beam_pvs

    monitors = [bpm.name for bpm in parts.start.ring.bpms]
    meter = BeamMeter(machine, beam_pvs(parts.specs, monitors), waits.timeout_s, NEW_READINGS_S, SystemClock())
    names = [start.pv for start in parts.plan.starts]
    for step in parts.plan.steps:
        names += [step.pv, step.readback]
    missing = [*machine.connect(dict.fromkeys(names), waits.timeout_s), *meter.connect()]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise MachineError(f"{', '.join(missing[:3])}{more}: not connected")
    return meter


def _gate(
    parts: GateParts, machine: "MachineClient", meter: "BeamMeter", authority: "Authority", waits: Waits
) -> "GatedSteps":
    from gnomon.recorder import ReplayError
    from gnomon.recorder.gating import Rules
    from gnomon.recorder.replaying import GatedSteps, SystemClock, settle_times

    if parts.limits is None:
        raise ReplayError("; ".join(parts.missing))
    return GatedSteps(
        commands=parts.commands,
        machine=machine,
        meter=meter,
        rules=Rules(parts.limits, authority),
        predictor=parts.predictor,
        clock=SystemClock(),
        timeout_s=waits.timeout_s,
        settle_s=settle_times(parts.start, parts.specs),
    )


def _authority(state: "ReplayState", parts: GateParts, chosen: Chosen) -> "Authority":
    """Take over the authority of a replay whose process has ended: it ends when it would have.

    Raises ReplayError, AuthorityError unless all is as it was when the replay began.
    """
    from gnomon.recorder import AuthorityError, ReplayError
    from gnomon.recorder.gating import valid_approval

    begin = f"replay {state.id} cannot go on, and nothing was written: "
    back = f"; put back what it has written: gnomon replay --rollback {state.id}"
    if parts.missing or parts.limits is None or parts.predictor is None:
        raise ReplayError(f"{begin}{'; '.join(parts.missing)}{back}")
    for what, now, then in (
        ("limits file", parts.limits.digest, state.limits_digest),
        ("calibration", parts.predictor.calibration_id, state.calibration_id),
    ):
        if now != then:
            raise ReplayError(f"{begin}the {what} is {now[:12]}, it was {then[:12] or 'none'} when it began{back}")
    try:
        valid_approval(parts.recording, parts.file.approvals, parts.limits.digest)
        return desk_of(chosen).take_over(state.token_id, approved_parts(parts), chosen.prefix)
    except AuthorityError as error:
        raise AuthorityError(f"{begin}{error}{back}") from error


def _no_doubts(state: "ReplayState", parts: GateParts, path: Path) -> None:
    """Compare the state of a replay with recording, limits and audit log. Raises ReplayError with every difference."""
    from gnomon.recorder import AuditChainError, ReplayError
    from gnomon.recorder.gating import events_of
    from gnomon.recorder.replay_execution import GateLimits
    from gnomon.recorder.replaying import audited_parts, doubts_of

    limits = parts.limits
    if limits is None:
        raise ReplayError("; ".join(parts.missing))

    def range_of(pv: str) -> tuple[float, float] | None:
        row = limits.row(pv)
        return None if row is None else (row.low, row.high)

    log = path.with_name(AUDIT)
    try:
        audited = audited_parts(events_of(log), state.id)
    except AuditChainError as error:
        raise ReplayError(f"replay {state.id}: {error}; without it, its state is not trusted") from error
    tolerances = GateLimits(max_step=1.0, tolerance=limits.document.baseline.share)
    if doubts := doubts_of(state, parts.plan, range_of, tolerances, audited):
        before = {part["pv"]: part["put_back"] for part in reversed(audited or ())}
        by_hand = "".join(f"\n  {pv}: {value:.9g}" for pv, value in before.items()) or " none"
        raise ReplayError(
            f"replay {state.id}: its state, {path}, is not trusted, and nothing was written:\n"
            + "\n".join(f"  {doubt}" for doubt in doubts)
            + f"\nput back by hand; values before its writes, by {log}:{by_hand}"
        )


def _stored_authority(state: "ReplayState", parts: GateParts) -> "Authority":
    """Make the authority that a replay had, for its report: nothing is decided with it."""
    from gnomon.recorder.gating import Authority

    return Authority(
        approved_parts(parts), state.token_id, state.author, state.reviewer, state.granted_ns, state.granted_s,
        state.expires_ns, state.limits_digest,
    )  # fmt: skip


def _state_path(folder: Path, id: str) -> Path:
    from gnomon.recorder import ReplayError

    found = [path for path in sorted(folder.glob(f"{id}*.json")) if not path.name.endswith(".report.json")]
    if "/" in id or "*" in id or len(found) != 1:
        known = ", ".join(p.stem for p in sorted(folder.glob("*.json")) if not p.name.endswith(".report.json"))
        raise ReplayError(f"there is no replay {id!r} in {folder}, or several; it has {known or 'none'}")
    return found[0]


def _no_open_replay(folder: Path, prefix: str) -> None:
    """Refuse a replay while another one of the same machine has to be continued or put back."""
    from gnomon.recorder import ReplayError
    from gnomon.recorder.replaying import load_state

    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        if path.name.endswith(".report.json"):
            continue
        state = load_state(path)
        if state.prefix == prefix and state.status.open:
            raise ReplayError(
                f"replay {state.id} of {state.name} is {state.status}: first continue it (gnomon replay --resume "
                f"{state.id}) or put it back (gnomon replay --rollback {state.id})"
            )
