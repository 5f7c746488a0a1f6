"""The playing of a scenario against a running server: one step after the other, timed by one monotonic clock."""

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from gnomon.clients.epics_client import EpicsClient
from gnomon.clients.errors import NoAnswerError
from gnomon.clients.reading import Reading
from gnomon.clients.server_choice import Target
from gnomon.db import sources
from gnomon.fault_injection import parse_condition
from gnomon.lattice import GnomonError
from gnomon.testing.faults import Faults
from gnomon.testing.scenarios.application import Application
from gnomon.testing.scenarios.expectations import OWN_NOTE, Judgement, judge_application, judge_journal, judge_pv
from gnomon.testing.scenarios.found_ring import FoundRing, ServedJournal
from gnomon.testing.scenarios.interrupts import uninterrupted
from gnomon.testing.scenarios.report import INTERRUPTED, MAX_OUTPUT, OTHERS, Report, StepResult, Verdict
from gnomon.testing.scenarios.scenario_document import Scenario
from gnomon.testing.scenarios.step_texts import describe_step
from gnomon.testing.scenarios.steps import Step

#: Time between two looks at what is waited for [s].
LOOK_S = 0.05
#: Time that the server has for an answer to a look, and to anything else [s].
LOOK_TIMEOUT_S, TIMEOUT_S = 1.0, 5.0


class Progress(Protocol):
    """A display of the play."""

    def begin(self, number: int, step: Step, text: str) -> None:
        """Show that a step begins."""
        ...

    def end(self, result: StepResult) -> None:
        """Show its result."""
        ...

    def restoring(self) -> None:
        """Show that the ring is brought back to what it was."""
        ...


class UnplayableError(GnomonError):
    """A scenario and a server that do not fit together, or an application that is missing."""

    exit_code = 2  # of the command line: wrong use


class Player:
    """Plays scenarios against one twin."""

    def __init__(
        self,
        target: Target,
        command: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Use `command` as the application under test, with `environment` and what clients of the twin need."""
        self._target = target
        self._command = tuple(command)
        given = dict(os.environ if environment is None else environment)
        self._environment = given | dict(target.environment) | {"GNOMON_PREFIX": target.prefix}
        self._clock = clock

    def play(self, scenario: Scenario, name: str, progress: Progress) -> Report:
        """Play a scenario and leave the ring as it was found, however it ends; Ctrl-C is told in the report.

        Raises UnplayableError or ClientError if it cannot begin.
        """
        if scenario.needs_application and not self._command:
            raise UnplayableError(
                f"{name} is about an application ({scenario.application}): give its command behind `--`, as in "
                f"`gnomon fault run {name} -- python my_program.py`"
            )
        with (
            EpicsClient(self._target, "pva", TIMEOUT_S) as client,
            EpicsClient(self._target, "pva", LOOK_TIMEOUT_S) as looking,
        ):
            journal = _fitting_journal(client, scenario, self._target)
            _refuse_unknown_pvs(client, scenario)
            others = "; ".join(Faults(client.call).active())
            play = _Play(
                client, looking, journal, FoundRing(client, journal, name),
                Application(self._command, self._environment), name, self._clock,
            )  # fmt: skip
            report = play.run(scenario, progress, self._target.describe())
            return replace(report, properties={OTHERS: others}) if others else report


class _Play:
    """One playing of a scenario."""

    def __init__(
        self,
        client: EpicsClient,
        looking: EpicsClient,
        journal: ServedJournal,
        found: FoundRing,
        application: Application,
        name: str,
        clock: Callable[[], float],
    ) -> None:
        self._client = client
        self._looking = looking
        self._journal = journal
        self._found = found
        self._application = application
        self._name = name
        self._clock = clock
        self._before: dict[str, Reading] = {}
        self._since: dict[str, int] = {}

    def run(self, scenario: Scenario, progress: Progress, server: str) -> Report:
        """Play all steps, then bring the ring back."""
        began, wall_ns, ended = self._clock(), time.time_ns(), ""
        results: list[StepResult] = []
        try:
            self._keep_readings(scenario)
            for number, step in enumerate(scenario.steps, 1):
                progress.begin(number, step, describe_step(step))
                result = self._play(number, step, began)
                results.append(result)
                progress.end(result)
                if result.verdict is Verdict.IMPOSSIBLE:
                    ended = f"step {number} was not possible"
                    break
        except KeyboardInterrupt:
            ended = INTERRUPTED
        finally:
            with uninterrupted():
                progress.restoring()
                self._application.end()
                restored = self._found.restore(self._clock)
        for number, step in enumerate(scenario.steps[len(results) :], len(results) + 1):
            results.append(self._result(number, step, Verdict.SKIPPED, "", self._clock(), began))
        return Report(
            self._name, scenario.title, server, tuple(results), restored, ended, self._application.output[-MAX_OUTPUT:],
            self._clock() - began, wall_ns,
        )  # fmt: skip

    def _play(self, number: int, step: Step, began: float) -> StepResult:
        start = self._clock()
        try:
            if step.name:
                self._since[step.name] = self._journal.last + 1
            if step.expects:
                judged = self._expect(step, start)
                verdict, found = (Verdict.HELD if judged.holds else Verdict.FAILED), judged.found
            else:
                verdict, found = self._act(step, start)
        except GnomonError as error:
            verdict, found = Verdict.IMPOSSIBLE, str(error)
        return self._result(number, step, verdict, found, start, began)

    def _result(self, number: int, step: Step, verdict: Verdict, found: str, start: float, began: float) -> StepResult:
        took = self._clock() - start
        expects = step.expects or step.finish is not None or step.until is not None
        return StepResult(
            number, describe_step(step), verdict, found, step.name or "", step.note or "", start - began, took, expects
        )

    def _act(self, step: Step, start: float) -> tuple[Verdict, str]:
        """Do what a step says. Raises GnomonError if that is not possible."""
        found = ""
        if step.put is not None:
            self._put(step.put)
        elif step.fault is not None:
            found = self._found.add_fault(step.fault, step.name)
        elif step.clear is not None:
            self._found.clear(step.clear)
        elif step.wait_s is not None:
            time.sleep(step.wait_s)
        elif step.start is not None:
            self._application.start()
        elif step.stop is not None:
            self._application.end(signal.SIGINT)
        elif step.until is not None:
            condition = parse_condition(step.until.condition)
            holds = self._wait(lambda: condition.holds(self._value_of), step.until.within_s, start)
            values = ", ".join(f"{pv} is {self._value_of(pv)}" for pv in condition.pvs)
            return (Verdict.HELD if holds else Verdict.FAILED), values
        elif step.finish is not None:
            ended = self._wait(lambda: not self._application.running, step.finish.within_s, start)
            if not ended:
                self._application.end()
            said = "it ended" if ended else "it did not end, and was ended"
            return (Verdict.HELD if ended else Verdict.FAILED), f"{said} after {self._application.took_s:.1f} s"
        return Verdict.DONE, found

    def _put(self, values: Mapping[str, float | str]) -> None:
        """Put settings as one command, and controls one by one."""
        infos = self._client.pvs
        settings = {}
        for name, value in values.items():
            whole = self._client.full_name(name)
            if infos[whole].source == sources.SET.name:
                settings[whole] = value
                continue
            self._found.keep_control(self._client.get(whole)[0])
            self._client.put(whole, value)
        if settings:
            self._client.set(settings, f"{OWN_NOTE}{self._name}")

    def _expect(self, step: Step, start: float) -> Judgement:
        if (asked := step.expect_application) is not None:
            code = self._application.poll()
            return judge_application(asked, code, self._application.output, self._application.took_s)
        timed = step.expect_pv or step.expect_journal
        assert timed is not None
        judged = [self._judge(step)]

        def holds() -> bool:
            judged[0] = self._judge(step)
            return judged[0].holds

        if not judged[0].holds:
            self._wait(holds, timed.within_s, start)
        since = self._clock()
        if judged[0].holds and timed.for_s and self._wait(lambda: not holds(), timed.for_s, since):
            after = self._clock() - since
            return Judgement(False, f"{judged[0].found}, after it had held for {after:.1f} s")
        return judged[0]

    def _judge(self, step: Step) -> Judgement:
        if (asked := step.expect_pv) is not None:
            return judge_pv(asked, self._look(asked.pv), self._before.get(asked.pv))
        assert step.expect_journal is not None
        first = self._since[step.expect_journal.since] if step.expect_journal.since else self._journal.first
        return judge_journal(step.expect_journal, self._journal.entries(first))

    def _wait(self, holds: Callable[[], bool], within_s: float, start: float) -> bool:
        """Wait until something holds, at most until a time after `start`; returns whether it did."""
        while not holds():
            if self._clock() - start >= within_s:
                return False
            time.sleep(LOOK_S)
        return True

    def _look(self, pv: str) -> Reading | None:
        """Read a PV; None if nobody answers."""
        try:
            return self._looking.get(pv)[0]
        except NoAnswerError:
            return None

    def _value_of(self, pv: str) -> float | None:
        """Return the value of a PV for a condition; None unless it is a valid number."""
        reading = self._look(pv)
        if reading is None or reading.severity_name == "INVALID":
            return None
        value = reading.value if reading.index is None else reading.index
        return float(value) if isinstance(value, int | float) else None

    def _keep_readings(self, scenario: Scenario) -> None:
        """Read the PVs that are to be as before."""
        asked = [step.expect_pv for step in scenario.steps if step.expect_pv is not None and step.expect_pv.unchanged]
        names = list(dict.fromkeys(each.pv for each in asked))
        if names:
            self._before = dict(zip(names, self._client.get(*names), strict=True))


def _fitting_journal(client: EpicsClient, scenario: Scenario, target: Target) -> ServedJournal:
    """Find the server's journal. Raises UnplayableError if the server is not what the scenario is for."""
    told = client.call("dt:journal")
    wanted = scenario.ring.machine
    if not wanted.endswith(".json") and told["machine"] != wanted:
        raise UnplayableError(
            f"the scenario is for {wanted}, and {target.prefix!r} serves {told['machine']}: start one with --start, or "
            "choose another with --server"
        )
    if target.server is not None and target.server.role != scenario.ring.role:
        raise UnplayableError(
            f"the scenario is for role {scenario.ring.role}, and the server has role {target.server.role}: start one "
            "with --start, or choose another with --server"
        )
    try:
        return ServedJournal(told)
    except GnomonError as error:
        raise UnplayableError(
            f"the journal of the server, {told['journal']}, cannot be read: {error}. Play scenarios on the computer of "
            "the server"
        ) from error


def _refuse_unknown_pvs(client: EpicsClient, scenario: Scenario) -> None:
    """Raise UnplayableError for PVs that the server does not have: its PVs may have other names than the machine's."""
    names = [name for step in scenario.steps for name, _ in step.pvs()]
    unknown = [name for name in dict.fromkeys(names) if client.full_name(name) not in client.pvs]
    if unknown:
        raise UnplayableError(f"the server has no PV {', '.join(unknown[:5])}; `gnomon get '*'` lists its PVs")
