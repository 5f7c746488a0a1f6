"""A played scenario: what each step did, what held, and whether the ring is as it was found; also as JUnit XML."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from xml.etree import ElementTree

from gnomon.lattice.text import printable

#: Reason why a scenario ended early.
INTERRUPTED = "interrupted"
#: Property of a report: the faults that were there before.
OTHERS = "faults of others"
#: Longest output of an application in a report [characters].
MAX_OUTPUT = 20_000


class Verdict(StrEnum):
    """State of a step: an action is done or not possible, an expectation held or failed; the rest was not reached."""

    DONE = "done"
    HELD = "held"
    FAILED = "failed"
    IMPOSSIBLE = "impossible"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class StepResult:
    """Outcome of a step: what was found, when it began after the scenario's start, and how long it took [s]."""

    number: int
    text: str
    verdict: Verdict
    found: str = ""
    name: str = ""
    note: str = ""
    began_s: float = 0.0
    took_s: float = 0.0
    expects: bool = False

    @property
    def good(self) -> bool:
        """True if it was done, or held."""
        return self.verdict in (Verdict.DONE, Verdict.HELD)


@dataclass(frozen=True, slots=True)
class Report:
    """Outcome of a scenario.

    `restored` is empty if the ring is as it was found, else what is not; `ended` is the reason for an early end.
    """

    name: str
    title: str
    server: str
    results: tuple[StepResult, ...]
    restored: str = ""
    ended: str = ""
    output: str = ""
    took_s: float = 0.0
    wall_ns: int = 0
    properties: dict[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """True if every expectation held, every action was done, and the ring is as it was found."""
        return not self.restored and not self.ended and all(result.good for result in self.results)

    @property
    def others(self) -> str:
        """Faults that acted besides those of the scenario; empty if there were none."""
        return self.properties.get(OTHERS, "")

    @property
    def interrupted(self) -> bool:
        """True if it was ended by Ctrl-C or SIGTERM."""
        return self.ended == INTERRUPTED

    @property
    def failed(self) -> tuple[StepResult, ...]:
        """The steps that failed or were not possible."""
        return tuple(each for each in self.results if each.verdict in (Verdict.FAILED, Verdict.IMPOSSIBLE))


def junit(reports: Iterable[Report]) -> str:
    """Write reports as JUnit XML: a suite for each scenario, a case for each expectation, and one for the way back."""
    suites = ElementTree.Element("testsuites", name="gnomon scenarios")
    for report in reports:
        suite = ElementTree.SubElement(suites, "testsuite", name=report.name, time=f"{report.took_s:.3f}")
        properties = ElementTree.SubElement(suite, "properties")
        for key, value in {"title": report.title, "server": report.server, **report.properties}.items():
            ElementTree.SubElement(properties, "property", name=key, value=_clean(value))
        for result in report.results:
            if result.expects or not result.good:
                _case(suite, report.name, result)
        left = ElementTree.SubElement(suite, "testcase", classname=report.name, name="the ring is as it was found")
        if report.restored:
            ElementTree.SubElement(left, "failure", message=_clean(report.restored))
        if report.ended:
            played = ElementTree.SubElement(suite, "testcase", classname=report.name, name="played to its end")
            ElementTree.SubElement(played, "error", message=_clean(report.ended))
        if report.output:
            ElementTree.SubElement(suite, "system-out").text = "\n".join(map(_clean, report.output.split("\n")))
        for kind, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            suite.set(kind, str(len(list(suite.iter(tag)))))
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: ElementTree.Element, scenario: str, result: StepResult) -> None:
    title = f"step {result.number}: {result.name or result.text}"
    case = ElementTree.SubElement(
        suite, "testcase", classname=scenario, name=_clean(title), time=f"{result.took_s:.3f}"
    )
    told = _clean("; ".join(filter(None, (result.text, result.found, result.note))))
    match result.verdict:
        case Verdict.FAILED:
            ElementTree.SubElement(case, "failure", message=told)
        case Verdict.IMPOSSIBLE:
            ElementTree.SubElement(case, "error", message=told)
        case Verdict.SKIPPED:
            ElementTree.SubElement(case, "skipped", message=told)


def _clean(text: str) -> str:
    """Escape what XML cannot hold."""
    return "".join(c if c < "\ufffe" or c > "\uffff" else "?" for c in printable(text))
