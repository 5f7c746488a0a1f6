"""`gnomon replay`: repeat recorded commands, step by step, on PVs with another prefix."""

import math
import os
import signal
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gnomon.cli.log.log_options import journal_to_read
from gnomon.cli.options import MAX_SECONDS, ConfigFile, Pvs, configure
from gnomon.cli.output import Json, print_json
from gnomon.cli.served_journal import Asked

if TYPE_CHECKING:
    from rich.console import Console

    from gnomon.recorder import Run
    from gnomon.recorder.replay_execution import GateLimits, MachineClient, Plan, ReplayOptions, Result, Step

#: Longest time between two interrupts by which an operator takes over [s].
TAKE_OVER_S = 5

JournalOption = Annotated[
    Path | None,
    typer.Option(
        "--journal",
        help="Read the recorded commands from this journal.",
        show_default="that of the running server, else of the configuration",
    ),
]


def replay(
    first: Annotated[int, typer.Option("--from", min=1, help="Number of the first command.")],
    last: Annotated[int, typer.Option("--to", min=1, help="Number of the last command.")],
    prefix: Annotated[str, typer.Option("--prefix", help="Prefix of the PVs to write; '' for no prefix.")],
    arm: Annotated[
        bool, typer.Option("--arm", help="Write to the machine. Without this option, only a dry run.")
    ] = False,
    net: Annotated[
        bool,
        typer.Option(
            "--net", help="Write only where the commands end, all settings together, in steps within --max-step."
        ),
    ] = False,
    with_faults: Annotated[
        bool,
        typer.Option(
            "--with-faults", help="Repeat what acted, with the effects of injected faults, not what was asked for."
        ),
    ] = False,
    journal: JournalOption = None,
    config: ConfigFile = None,
    machine: Annotated[
        str | None,
        typer.Option(
            "--machine",
            help="Name or file of the machine document, as it was when the commands were recorded.",
            show_default="the machine of the recording",
        ),
    ] = None,
    pvs: Pvs = None,
    max_step: Annotated[
        float,
        typer.Option(
            "--max-step", min=0.0, max=1.0, help="Refuse steps larger than this fraction of the range of drive limits."
        ),
    ] = 0.1,
    tolerance: Annotated[
        float,
        typer.Option(
            "--tolerance",
            min=0.0,
            max=0.1,
            help="Count two values as equal within this fraction of the range of drive limits, but never more than a "
            "tenth of a step.",
        ),
    ] = 5e-5,
    pace: Annotated[
        str | None,
        typer.Option(
            "--pace",
            help="Time between steps: `original`, or a number of seconds [s].",
            show_default="next step as soon as the last one is verified",
        ),
    ] = None,
    settle: Annotated[
        float,
        typer.Option("--settle", min=0.0, max=MAX_SECONDS, help="Wait at most this long for a readback to follow [s]."),
    ] = 5.0,
    timeout: Annotated[
        float,
        typer.Option("--timeout", min=0.1, max=MAX_SECONDS, help="Wait at most this long for one get or put [s]."),
    ] = 5.0,
    as_json: Json = False,
) -> None:
    """Show recorded commands as steps on a machine or, with --arm, write them one step at a time.

    For example `gnomon replay --from 12 --to 30 --prefix ''`, and the same with `--arm` once the table looks right.

    Where injected faults acted, it writes what was asked for, unless there is --with-faults.

    Before the first write, it checks connections, limits and step sizes, and that the machine has the settings that the
    recording began with; it keeps checking these settings. After each write, it waits for the readback. If a readback
    does not follow, or someone else changes a setting, it stops and puts the previous values back in reverse order,
    until that is verified. To take over the machine as it is instead, press Ctrl-C twice while values are put back.
    Checks of limits are not machine protection, and no confidence bound is checked yet.
    """
    from gnomon.recorder import rendering
    from gnomon.recorder.replay_execution import NO_BOUND, GateLimits, ReplayOptions

    if last < first:
        raise typer.BadParameter(
            f"the last command, {last}, comes before the first one, {first} (--from)", param_hint="--to"
        )
    if net and pace == "original":
        raise typer.BadParameter("the steps of --net have no recorded times; give seconds", param_hint="--pace")
    if arm and as_json:
        raise typer.BadParameter("only the dry run is shown as JSON; leave out --arm", param_hint="--json")
    options = ReplayOptions(GateLimits(max_step, tolerance), timeout, settle, _pace(pace))
    path = journal_to_read(Asked(journal, config))
    run, plan = _plan(path, (first, last), prefix, config, machine, pvs, max_step if net else None, with_faults)
    if as_json:
        _print_plan(plan, run, prefix, options.limits)
        return
    console = rendering.make_console()
    console.print(
        rendering.clean(
            f"{run.machine}, commands {first} to {last}: steps: {len(plan.steps)}, {run.prefix!r} -> {prefix!r}"
        )
    )
    _show(plan, console)
    if arm:
        console.print(f"armed: {NO_BOUND}; this is not machine protection", style="bold yellow")
        _carry_out(plan, options, path, console)
        return
    refusals = _static(plan, options.limits)
    console.print(f"dry run: nothing was written; {NO_BOUND}. Use --arm to write to the machine", style="yellow")
    if refusals:
        from gnomon.recorder import ReplayError

        raise ReplayError("these steps would be refused:\n" + "\n".join(f"  {reason}" for reason in refusals))


def _print_plan(plan: "Plan", run: "Run", prefix: str, limits: "GateLimits") -> None:
    """Print the dry run as JSON; exit with 1 if steps would be refused, as without JSON."""
    refusals = _static(plan, limits)
    steps = [
        asdict(step) | {"predicted": asdict(predicted)}
        for step, predicted in zip(plan.steps, plan.predictions, strict=True)
    ]
    print_json(
        {"machine": run.machine, "recorded": run.prefix, "prefix": prefix, "steps": steps, "refusals": list(refusals)}
    )
    if refusals:
        raise typer.Exit(1)


def make_machine() -> "MachineClient":
    """Make the client of the machine; tests put another one here."""
    from gnomon.recorder.epics_machine import EpicsMachine

    return EpicsMachine()


def _plan(
    path: Path,
    numbers: tuple[int, int],
    prefix: str,
    config: Path | None,
    machine: str | None,
    pvs: str | None,
    net_step: float | None,
    with_faults: bool,
) -> "tuple[Run, Plan]":
    """Make the plan; `net_step` is the largest step to where the range ends, None: repeat the commands.

    With `with_faults`, as they acted; without, as they were asked for.
    """
    from gnomon.ioc.base.machines import find_machine, pvs_of, recorded_machine
    from gnomon.propagator import Propagator
    from gnomon.recorder import Filter, Reader, ReplayError
    from gnomon.recorder.recorded_states import state_before
    from gnomon.recorder.replay_execution import make_net_plan, make_plan, without_faults

    with Reader(path) as reader:
        first, last = numbers
        before = state_before(reader, first)
        reader.entry(last)
        entries = tuple(reader.entries(Filter(first=first, last=last)))
    run = before.run
    settings = configure(config, machine=machine, pvs=pvs)
    loaded = find_machine(settings) if machine else recorded_machine(settings, run.machine, run.digest)
    if loaded.ring.digest != run.digest:
        raise ReplayError(
            f"machine {run.machine!r} has changed since it was recorded: its document is "
            f"{loaded.ring.digest[:12]} now, the recording's is {run.digest[:12]}; "
            "give the recorded machine's document with --machine"
        )
    start = loaded.ring.nominal.updated(before.settings)
    propagate = Propagator(loaded.ring, settings.model.momentum)
    specs = pvs_of(loaded, prefix)
    if not with_faults:
        entries = without_faults(entries, start)
    if net_step is not None:
        return run, make_net_plan(entries, run, prefix, start, specs, propagate, net_step)
    return run, make_plan(entries, run, prefix, start, specs, propagate)


def _show(plan: "Plan", console: "Console") -> None:
    from gnomon.recorder import rendering

    columns = ("step", "#", "PV", "from", "to", "unit")
    predicted = ("max x", "max y", "rms x", "rms y", "tune x", "tune y", "remark")
    table = rendering.make_table(*columns, *predicted, right=(0, 1, 3, 4, 6, 7, 8, 9, 10, 11))
    for number, (step, prediction) in enumerate(zip(plan.steps, plan.predictions, strict=True), 1):
        millimetres = (f"{v:+.4f}" if v < 0 else f"{v:.4f}" for v in (*prediction.max_mm, *prediction.rms_mm))
        remark = prediction.reason
        if step.asked != step.target:
            remark = f"requested: {step.asked:.9g}; {remark}".rstrip("; ")
        table.add_row(
            str(number),
            str(step.sequence),
            rendering.clean(step.pv),
            f"{step.start:.9g}",
            f"{step.target:.9g}",
            rendering.clean(step.unit),
            *millimetres,
            *(f"{v:+.6f}" for v in prediction.tune),
            rendering.clean(remark),
        )
    console.print(table)
    note = "predicted change of the orbit at the monitors [mm] and of the tunes, from each step to the next"
    console.print(note, markup=False)


def _static(plan: "Plan", limits: "GateLimits") -> tuple[str, ...]:
    """List the reasons to refuse the steps that need no connection; the document's limits stand for the machine's."""
    from gnomon.recorder.replay_execution import check_prediction, check_step

    reasons: list[str] = []
    for step, prediction in zip(plan.steps, plan.predictions, strict=True):
        reasons += (*check_step(step, (step.low, step.high), limits), *check_prediction(step, prediction))
    return tuple(dict.fromkeys(reasons))


def _carry_out(plan: "Plan", options: "ReplayOptions", journal: Path, console: "Console") -> None:
    from gnomon.recorder import rendering
    from gnomon.recorder.replay_execution import AuditFile, carry_out

    audit = AuditFile(journal.with_name(journal.name + ".replays.jsonl"))

    def report(event: str, step: "Step", remark: str) -> None:
        way = (step.start, step.target) if event in ("write", "verified") else (step.target, step.start)
        line = f"{event:9} {step.pv}  {way[0]:.9g} -> {way[1]:.9g} {step.unit}  {remark}".rstrip()
        console.print(rendering.clean(line), soft_wrap=True)

    before = _interruptible()
    operator = _Operator()
    try:
        result = carry_out(
            plan,
            make_machine(),
            options,
            audit,
            report,
            uninterrupted=operator.listen,
            taken_over=lambda: operator.has_taken_over,
        )
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        audit.close()
    _conclude(result, len(plan.steps), audit.path, console)


def _conclude(result: "Result", steps: int, audit: Path, console: "Console") -> None:
    from gnomon.recorder import ReplayError, rendering

    if not result.failure:
        told = f"done: {result.done} of {steps} steps written and verified; recorded in {audit}"
        console.print(rendering.clean(told), style="green")
        return
    text = f"stopped after {result.done} of {steps} steps: {result.failure}\n"
    text += f"put back: {', '.join(result.restored) or 'nothing'}"
    if result.left:
        text += "\nNOT put back, call the operator:\n" + "\n".join(f"  {left}" for left in result.left)
    raise ReplayError(f"{text}\nrecorded in {audit}")


def _pace(text: str | None) -> "float | Literal['original'] | None":
    from gnomon.lattice.text import NotANumberError, parse_number

    if text is None or text == "original":
        return text  # type: ignore[return-value]  # narrowed by the comparison
    try:
        seconds = parse_number(text)
    except NotANumberError:
        seconds = -1.0
    if not 0.0 <= seconds < 86400.0:
        raise typer.BadParameter(
            f"{text!r} is neither `original` nor a number of seconds from 0 to less than 86400", param_hint="--pace"
        )
    return seconds


def _interruptible() -> "dict[int, signal._HANDLER]":
    """Treat requests to end (SIGTERM, SIGHUP) like an interrupt; return the handlers to set again afterwards."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.default_int_handler)
    return before  # type: ignore[return-value]  # keys are IntEnum members


class _Operator:
    """The operator, who takes over the machine with two interrupts (Ctrl-C) in a row while values are put back.

    One interrupt, or the signals of a closing terminal or a service manager, must not leave the machine halfway.
    """

    def __init__(self) -> None:
        self.has_taken_over = False
        self._asked = -math.inf

    def listen(self) -> None:
        """Handle interrupts from now on, instead of letting them raise."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self._interrupt)
            for number in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)

    def _interrupt(self, number: int, frame: object) -> None:
        now = time.monotonic()
        self.has_taken_over = self.has_taken_over or now - self._asked <= TAKE_OVER_S
        self._asked = now
        if self.has_taken_over:
            text = b"you have taken over: no further values are put back\n"
        else:
            text = b"putting previous values back; to take over the machine as it is, press Ctrl-C again within %d s\n"
            text %= TAKE_OVER_S
        with suppress(OSError):
            os.write(2, text)
