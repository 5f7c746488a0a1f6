"""The dry run of a range of recorded commands: steps on PVs with another prefix, with the model's predictions."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from gnomon.cli.options import configure
from gnomon.cli.output import print_json

if TYPE_CHECKING:
    from rich.console import Console

    from gnomon.recorder import Run
    from gnomon.recorder.replay_execution import GateLimits, Plan

TO_ARM = (
    "only a recording that was reviewed and approved is written: gnomon record, gnomon review, gnomon replay NAME --arm"
)


def show_range(
    path: Path,
    numbers: tuple[int, int],
    prefix: str,
    limits: "GateLimits",
    *,
    config: Path | None,
    machine: str | None,
    pvs: str | None,
    net: bool,
    with_faults: bool,
    as_json: bool,
) -> None:
    """Show the steps of a range; raises ReplayError if steps would be refused by the static checks."""
    from gnomon.recorder import ReplayError, rendering

    run, plan = _plan(path, numbers, prefix, config, machine, pvs, limits.max_step if net else None, with_faults)
    if as_json:
        _print_plan(plan, run, prefix, limits)
        return
    console = rendering.make_console()
    first, last = numbers
    console.print(
        rendering.clean(
            f"{run.machine}, commands {first} to {last}: steps: {len(plan.steps)}, {run.prefix!r} -> {prefix!r}"
        )
    )
    show_plan(plan, console)
    refusals = _static(plan, limits)
    console.print(f"dry run: nothing was written, and no confidence bound was checked; {TO_ARM}", style="yellow")
    if refusals:
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


def show_plan(plan: "Plan", console: "Console") -> None:
    """Show the steps of a plan with the model's predictions."""
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
