"""`gnomon study match`: which settings change tunes and chromaticities, or make a bump; predicted, nothing is set."""

from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli.lattice_options import LatticeChoice
from gnomon.cli.option_group import with_options
from gnomon.cli.study.running import Wanted, cell, run_study
from gnomon.lattice.text import printable

if TYPE_CHECKING:
    from rich.console import Console

    from gnomon.lattice import Lattice
    from gnomon.propagator.studies import Bump, Say, StudyResult

#: Number of supplies up to which the command that sets them is shown.
MAX_PUT = 12

With = Annotated[
    list[str] | None,
    typer.Option(
        "--with",
        help="Change the supplies that match these patterns, for example 'Q1*,Q3*'; repeat the option for more.",
        show_default="for a bump, the two steerers of each plane on each side",
    ),
]


@with_options("choice", LatticeChoice)
@with_options("wanted", Wanted)
def match(
    choice: LatticeChoice,
    *,
    tunes: Annotated[
        str | None, typer.Option(help="Change the tunes by DX,DY.", metavar="DX,DY", show_default=False)
    ] = None,
    chromaticities: Annotated[
        str | None, typer.Option(help="Change the chromaticities by DX,DY.", metavar="DX,DY", show_default=False)
    ] = None,
    bump: Annotated[
        str | None,
        typer.Option(
            help="Make a closed bump that changes the readings of a monitor by DX,DY [mm].",
            metavar="MONITOR=DX,DY",
            show_default=False,
        ),
    ] = None,
    with_: With = None,
    wanted: Wanted,
) -> None:
    """Predict the settings of supplies that change tunes or chromaticities, or make a closed bump; set nothing.

    For example `gnomon study match --tunes +0.01,0 --chromaticities 0,0 --with 'Q3P*,Q4P*,S*'` or `gnomon study match
    --bump BPMZ5D1R=1,0`. What is not given is free. The RF frequency stays; the result is verified with the full
    model. With --prefix, the last line is the command that sets it. The exit code is 1 if the
    changes cannot be made with these supplies within their limits.
    """
    from gnomon.propagator.studies import Target, plot_comparison, study_match

    target = Target(
        tunes=None if tunes is None else _pair(tunes, "--tunes"),
        chromaticities=None if chromaticities is None else _pair(chromaticities, "--chromaticities"),
        bump=None if bump is None else _bump(bump),
    )
    if target == Target():
        raise typer.BadParameter("give --tunes, --chromaticities or --bump")
    patterns = [p.strip() for text in with_ or () for p in text.split(",") if p.strip()]
    results: list[StudyResult] = []

    def study(present: "Lattice", origin: str, say: "Say") -> "StudyResult":
        result = study_match(present, origin, say, target, patterns)
        results.append(result)
        return result

    run_study(
        study,
        _show_match,
        plot_comparison,
        choice,
        wanted,
    )
    if not results[0].quantities["reached"].data:
        raise typer.Exit(1)
    if choice.prefix is not None and choice.at is None and choice.lattice is None and not wanted.json:
        _print_put(results[0], choice)


def _pair(text: str, option: str) -> tuple[float, float]:
    from gnomon.lattice.text import NotANumberError, parse_number, shorten

    try:
        x, y = (parse_number(part.strip()) for part in text.split(","))
    except (NotANumberError, ValueError):
        raise typer.BadParameter(
            f"{option}: {shorten(text)} is not a pair of numbers such as +0.01,0", param_hint=option
        ) from None
    return x, y


def _bump(text: str) -> "Bump":
    from gnomon.propagator.studies import Bump

    monitor, _, heights = text.rpartition("=")
    x, y = _pair(heights, "--bump")
    return Bump(monitor, 1e-3 * x, 1e-3 * y)


def _print_put(result: "StudyResult", choice: LatticeChoice) -> None:
    """Print the command that makes the predicted settings on the running server, if it is not too long to be read."""
    from gnomon.cli.options import running_server
    from gnomon.clients.epics_client import EpicsClient

    after = {
        name: float(value)
        for name, value, before in zip(
            result.names["supply"], result.quantities["after"].data, result.quantities["before"].data, strict=True
        )
        if value != before
    }
    if not 0 < len(after) <= MAX_PUT:
        return
    with EpicsClient(running_server(machine=choice.machine, prefix=choice.prefix)) as client:
        pvs = {
            info.device: info.name
            for info in client.find_pvs(source="set")
            if info.property == "current" and info.unit == "A"
        }
    if after.keys() <= pvs.keys():
        typer.echo("to set it: gnomon put " + " ".join(f"{pvs[name]}={value:.9g}" for name, value in after.items()))


def _show_match(result: "StudyResult", console: "Console") -> None:
    from rich.table import Table

    from gnomon.cli.study.compare import show_beams

    data = {name: quantity.data for name, quantity in result.quantities.items()}
    table = Table("condition", "wanted", "linear", "full model", "residual", "unit", box=None, pad_edge=False)
    units = {"m": ("mm", 1e3), "rad": ("urad", 1e6)}
    for k, (name, unit) in enumerate(zip(result.names["condition"], result.names["condition unit"], strict=True)):
        label, factor = units.get(unit, ("", 1.0))
        wanted, linear, found = (factor * float(data[key][k]) for key in ("wanted", "linear", "found"))
        row = (f"{wanted:+.6f}", f"{linear:+.6f}", f"{found:+.6f}", f"{found - wanted:+.1e}")
        table.add_row(cell(name), *row, label)
    console.print(table)
    table = Table("supply", r"before \[A]", r"after \[A]", r"change \[A]", r"limits \[A]", "", box=None, pad_edge=False)
    unchanged = 0
    for k, name in enumerate(result.names["supply"]):
        before, after, low, high = (float(data[key][k]) for key in ("before", "after", "low", "high"))
        if before == after:
            unchanged += 1
            continue
        remark = "at its limit" if after in (low, high) else ""
        limits = f"{low:g} to {high:g}"
        table.add_row(cell(name), f"{before:.5f}", f"{after:.5f}", f"{after - before:+.5f}", limits, remark)
    console.print(table)
    if unchanged:
        console.print(f"supplies that stay as they are: {unchanged}")
    show_beams(result, console)
    if not data["reached"]:
        console.print("not reached with these supplies within their limits; this is the nearest", style="yellow")
        if reason := result.facts.get("not reached"):
            console.print(printable(reason), style="yellow", markup=False, soft_wrap=True)
    console.print("predicted only: nothing was set")
