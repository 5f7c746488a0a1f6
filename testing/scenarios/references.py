"""References within a scenario: names of steps, the application's life, and times that contradict each other."""

from collections.abc import Iterable, Iterator

from gnomon.lattice.near_names import near_names_hint
from gnomon.lattice.text import NotANumberError, parse_number, shorten
from gnomon.testing.scenarios.scenario_document import Scenario
from gnomon.testing.scenarios.steps import Step

ALL = "all"

Found = tuple[tuple[int | str, ...], str]


def wrong_references(scenario: Scenario) -> Iterator[Found]:
    """Yield place and reason of each mistake that shows only in the scenario as a whole."""
    yield from _names(scenario.steps)
    yield from _application(scenario.steps)
    yield from _timings(scenario.steps)
    if scenario.examples is not None:
        expected = [step.name for step in scenario.steps if step.expects and step.name]
        for name in scenario.examples.naive_fails:
            if name not in expected:
                yield ("examples", "naive_fails"), _unknown("expectation", name, expected)
        if bool(scenario.examples.naive) != bool(scenario.examples.naive_fails):
            yield ("examples",), "give naive and naive_fails, or neither"


def _names(steps: tuple[Step, ...]) -> Iterator[Found]:
    seen: list[str] = []
    faults: list[str] = []
    for number, step in enumerate(steps):
        here = ("steps", number)
        if step.clear is not None and step.clear != ALL and step.clear not in faults:
            yield (*here, "clear"), _unknown("fault", step.clear, [*faults, ALL])
        if (asked := step.expect_journal) is not None and asked.since is not None and asked.since not in seen:
            yield (*here, "expect_journal", "since"), _unknown("step", asked.since, seen)
        if step.name in (*seen, ALL):
            yield (*here, "name"), f"{step.name} is {'the word for all' if step.name == ALL else 'given twice'}"
        seen += [step.name] if step.name else []
        faults += [step.name] if step.name and step.fault is not None else []


def _application(steps: tuple[Step, ...]) -> Iterator[Found]:
    started = ended = False
    for number, step in enumerate(steps):
        here = ("steps", number, step.kind)
        if step.start:
            if started:
                yield here, "the application is started twice"
            started = True
        elif step.finish is not None or step.stop is not None or step.expect_application is not None:
            if not started:
                yield here, "the application is not started before; add the step `start: application`"
            asked = step.expect_application
            if asked is not None and asked.needs_end and not ended:
                yield (
                    here,
                    "this holds only after its end: add the step `finish: {within_s: 60}`, or `stop: application`",
                )
            ended = ended or asked is None


def _timings(steps: tuple[Step, ...]) -> Iterator[Found]:
    for number, step in enumerate(steps):
        left = sum(each.longest_s for each in steps[number:])
        after = _seconds((step.fault or {}).get("after_s"))
        if after > left:
            yield (
                ("steps", number, "fault", "after_s"),
                f"it begins after {after:g} s, and the scenario ends within {left:g} s from here",
            )


def _seconds(given: object) -> float:
    try:
        return parse_number(str(given)) if given is not None else 0.0
    except NotANumberError:  # said with the fault's keys
        return 0.0


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    names = list(known)
    return f"there is no {what} {shorten(name)} before it{near_names_hint(name, names) if names else ''}"
