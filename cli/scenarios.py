"""`gnomon fault check`, `scenarios`, `show` and `run`: failures that control rooms know, played against a program."""

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gnomon.cli.connection import RunningTwin
from gnomon.cli.option_group import with_options
from gnomon.cli.output import Json, print_error, print_json, print_table, say

if TYPE_CHECKING:
    from gnomon.testing.scenarios import Report, Scenario

Asked = Annotated[str, typer.Argument(metavar="SCENARIO", help="Name of a shipped scenario, or file (.yaml).")]


def check(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Scenarios to check: files, or shipped names.")],
) -> None:
    """Check scenarios without a server: each mistake with file, line, key and the nearest right spelling.

    For example `gnomon fault check my_scenario.yaml`. Names are looked for in the scenario's machine.
    """
    from gnomon.testing.scenarios import ScenarioError, check_scenario, describe_step, find_scenario

    wrong = False
    for file in files:
        try:
            read = find_scenario(file)
            check_scenario(read)
        except ScenarioError as error:
            print_error(error)
            wrong = True
            continue
        steps = read.scenario.steps
        say(f"{file}: valid; {len(steps)} steps, {sum(step.expects for step in steps)} expectations")
        for step in steps:  # a step that cannot be described would be a mistake that the check has missed
            describe_step(step)
    if wrong:
        raise typer.Exit(2)


def scenarios(as_json: Json = False) -> None:
    """List the shipped scenarios."""
    from gnomon.testing.scenarios import find_scenario, shipped_scenarios

    read = {name: find_scenario(name).scenario for name in shipped_scenarios()}
    rows = [
        {
            "name": name, "title": each.title, "application": each.application, "machine": each.ring.machine,
            "role": each.ring.role, "faults": ", ".join(each.faults),
        }
        for name, each in read.items()
    ]  # fmt: skip
    print_table(rows, {"name": "name", "title": "title", "application": "application"}, as_json=as_json)


def show(
    scenario: Asked,
    source: Annotated[bool, typer.Option("--source", help="Print the file itself, to begin one of your own.")] = False,
    as_json: Json = False,
) -> None:
    """Show a scenario: what happens in control rooms, what a good application does, and the steps."""
    from gnomon.testing.scenarios import find_scenario, shipped_scenarios

    read = find_scenario(scenario)
    if source:
        typer.echo(shipped_scenarios().get(scenario, Path(scenario)).read_text(encoding="utf-8"), nl=False)
    elif as_json:
        print_json(read.scenario.model_dump(mode="json", exclude_unset=True))
    else:
        _print(read.scenario)


def _print(scenario: "Scenario") -> None:
    from gnomon.recorder.rendering import clean, make_console
    from gnomon.testing.scenarios import describe_step

    console = make_console()
    console.print(clean(scenario.title), style="bold")
    console.print(f"{clean(scenario.ring.machine)}, role {scenario.ring.role}; for: {clean(scenario.application)}")
    for title, text in (("What happens", scenario.happened), ("A good application", scenario.good)):
        console.print(f"\n{title}", style="bold")
        console.print(clean(text), soft_wrap=False, width=min(console.width, 100))
    console.print("\nSteps", style="bold")
    for number, step in enumerate(scenario.steps, 1):
        note = f"  ({step.note})" if step.note else ""
        console.print(clean(f"{number:3}  {describe_step(step)}{note}"), soft_wrap=True)


@with_options("running", RunningTwin)
def run(
    scenario: Asked,
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- COMMAND ARGS...]", help="Application under test, behind `--`."),
    ] = None,
    start: Annotated[
        bool, typer.Option("--start", help="Start a server for it, on free ports, and end it afterwards.")
    ] = False,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write the report to this file, as JUnit XML.")
    ] = None,
    *,
    running: RunningTwin,
) -> None:
    """Play a scenario against a running server, with your program as the application under test.

    For example `gnomon fault run polarity_after_repair --start -- python my_check.py`. The program finds the server by
    the EPICS variables that it is given, and the prefix of the PVs in GNOMON_PREFIX. Afterwards the ring is as it was
    found: settings restored, the scenario's faults cleared, also after Ctrl-C.

    Exit codes: 0 every expectation held; 1 one did not, or the ring could not be restored; 2 wrong use.
    """
    from contextlib import ExitStack

    from gnomon.clients.server_choice import choose_server
    from gnomon.testing.scenarios import OwnServer, Player, check_scenario, find_scenario
    from gnomon.testing.scenarios import junit as render

    read = find_scenario(scenario)
    check_scenario(read)
    asked, name = read.scenario, Path(scenario).stem
    if start and (running.server or running.prefix):
        raise typer.BadParameter("--start is without --server and --prefix: it starts a server of its own")
    ended_by: list[int] = []

    def end(number: int, _: object) -> None:
        ended_by.append(number)
        raise KeyboardInterrupt

    with ExitStack() as stack:
        before = signal.signal(signal.SIGTERM, end)
        stack.callback(signal.signal, signal.SIGTERM, before)
        display = _Display(len(asked.steps))
        stack.enter_context(display)
        if start:
            display.say("starting a server ...")
            machine = asked.ring.machine
            machine = str((read.folder / machine).absolute()) if machine.endswith(".json") else machine
            target = stack.enter_context(OwnServer(machine, asked.ring.role, asked.seed))
        else:
            target = choose_server(prefix=running.prefix, config=running.config, server=running.server)
        display.say("reading the ring as it is ...")
        report = Player(target, command or ()).play(asked, name, display)
    if junit is not None:
        junit.write_text(render([report]), encoding="utf-8")
    _print_report(report)
    if report.interrupted:
        raise typer.Exit(128 + (ended_by[0] if ended_by else signal.SIGINT))
    raise typer.Exit(0 if report.passed else 1)


#: Styles of the words for what became of a step.
STYLES = {"done": "", "held": "green", "failed": "red", "impossible": "red", "skipped": "dim"}


class _Display:
    """The steps as they are played: a line for each that has ended, and below them the present one with its time."""

    def __init__(self, steps: int) -> None:
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        from gnomon.recorder.rendering import make_console

        self._console = make_console()
        self._steps = steps
        self._live = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(),
            console=self._console, transient=True, disable=not self._console.is_terminal,
        )  # fmt: skip
        self._task = self._live.add_task("", total=None)

    def __enter__(self) -> "_Display":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def say(self, text: str) -> None:
        """Show what is done now."""
        from rich.markup import escape

        self._live.reset(self._task, description=escape(text), start=True)

    def begin(self, number: int, step: Any, text: str) -> None:
        """See `Progress`."""
        from gnomon.lattice.text import printable

        self.say(f"{number}/{self._steps}  {printable(text)}")

    def end(self, result: Any) -> None:
        """See `Progress`."""
        from rich.text import Text

        from gnomon.lattice.text import printable

        line = Text(f"{result.began_s:7.2f} s  ")
        line.append(f"{result.verdict.value:<10}", STYLES[result.verdict.value])
        line.append(f"  {printable(result.text)}")
        if result.found and (result.expects or not result.good):
            line.append(f"\n{'':>23}{printable(result.found)}", "dim" if result.good else "")
        if result.note and not result.good:
            line.append(f"\n{'':>23}{printable(result.note)}")
        self._live.console.print(line, soft_wrap=True)

    def restoring(self) -> None:
        """See `Progress`."""
        self.say("bringing the ring back to what it was")


def _print_report(report: "Report") -> None:
    """Print the verdict and, if something failed, the end of what the application printed."""
    if report.others:
        say(f"attention: faults of others act, too: {report.others}")
    if not report.passed and report.output:
        say("the application printed:")
        for line in report.output.rstrip().splitlines()[-20:]:
            say(f"  {line}")
    left = f"NOT as it was found: {report.restored}" if report.restored else "as it was found"
    say(f"the ring is {left}")
    expected = [each for each in report.results if each.expects]
    held = sum(each.good for each in expected)
    verdict = "passed" if report.passed else f"failed{f', {report.ended}' if report.ended else ''}"
    say(f"{report.name}: {verdict}; {held} of {len(expected)} expectations held, {report.took_s:.1f} s")
