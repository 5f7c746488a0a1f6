"""Reading of a scenario: every mistake is found at once, and named with its line and the nearest right spelling."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from gnomon.db.yaml_lines import line_of, repeated_key
from gnomon.fault_injection import KINDS
from gnomon.lattice import GnomonError
from gnomon.lattice.files import read_bounded
from gnomon.lattice.near_names import near_names
from gnomon.lattice.text import printable, shorten
from gnomon.testing.scenarios.references import wrong_references
from gnomon.testing.scenarios.scenario_document import Scenario

#: Largest scenario that is read [bytes].
MAX_BYTES = 2**18
#: Deepest nesting of a scenario.
MAX_DEPTH = 12

Location = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """A mistake in a scenario: line, key and reason."""

    line: int
    key: str
    reason: str


class ScenarioError(GnomonError):
    """A scenario that cannot be played: file, and each mistake with line, key and reason."""

    exit_code = 2  # of the command line: wrong use

    def __init__(self, file: str, findings: tuple[Finding, ...]) -> None:
        lines = [f"{file}:{f.line}: {f'{f.key}: ' if f.key else ''}{f.reason}" for f in findings]
        super().__init__("\n".join(map(printable, lines)))
        self.findings = findings


@dataclass(frozen=True)
class Source:
    """Text of a scenario with the positions of its keys."""

    file: str
    root: yaml.Node | None

    def finding(self, location: Location, reason: str) -> Finding:
        """Make a finding about the value at a location."""
        return Finding(line_of(self.root, location), _key(location), reason)


@dataclass(frozen=True)
class ReadScenario:
    """A scenario with its source, and the folder beside whose files it may stand."""

    scenario: Scenario
    source: Source
    folder: Path

    def refuse(self, findings: list[Finding]) -> None:
        """Raise ScenarioError if there are findings."""
        if findings:
            raise ScenarioError(self.source.file, tuple(sorted(findings, key=lambda each: each.line)))


def read_scenario(path: Path, called: str = "") -> ReadScenario:
    """Read a scenario. Raises ScenarioError with every mistake that can be seen in the file alone.

    Numbers are read as those of a command line are: `1e-3` is one, `1_000` and `1:30` are not.
    """
    file = called or str(path)
    try:
        text = read_bounded(path, MAX_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(file, (Finding(1, "", f"cannot be read: {error}"),)) from error
    root, data = _load(file, text)
    source = Source(file, root)
    findings = [*_wrong_faults(data, source)]
    scenario = None
    try:
        scenario = Scenario.model_validate(data)
    except ValidationError as error:
        findings += (source.finding(*found) for found in _explain(error, Scenario))
    else:
        findings += (source.finding(*found) for found in wrong_references(scenario))
    if findings:
        raise ScenarioError(file, tuple(sorted(findings, key=lambda each: each.line)))
    assert scenario is not None
    return ReadScenario(scenario, source, path.parent)


def _load(file: str, text: str) -> tuple[yaml.Node | None, Any]:
    """Read a text as lists, mappings and texts. Raises ScenarioError with the line."""

    def refused(line: int, reason: str) -> ScenarioError:
        return ScenarioError(file, (Finding(line, "", reason),))

    try:
        if found := _unwanted(text):
            raise refused(*found)
        loader = yaml.BaseLoader(text)
        root = loader.get_single_node()
        repeated = repeated_key(root)
        data = None if root is None else loader.construct_document(root)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        problem = getattr(error, "problem", None) or " ".join(str(error).split())
        raise refused(mark.line + 1 if mark is not None else 1, f"not YAML: {problem}") from error
    if repeated is not None:
        raise refused(repeated[1], f"key {shorten(repeated[0])} is given twice")
    if not isinstance(data, Mapping):
        raise refused(1, "a scenario is a mapping with the keys " + ", ".join(Scenario.model_fields))
    return root, data


def _unwanted(text: str) -> tuple[int, str] | None:
    """Find what a scenario does not have: references within it, and deep nesting. Nothing is built of the text yet."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.BaseLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            return _line(event), f"brackets or indents within each other, deeper than {MAX_DEPTH}"
        if isinstance(event, yaml.AliasEvent):
            return _line(event), "a scenario has no references (*name); write it out"
    return None


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark is not None else 1


def _wrong_faults(data: Mapping[str, Any], source: Source) -> Iterator[Finding]:
    """Check the keys of each fault against its kind."""
    steps = data.get("steps")
    for number, step in enumerate(steps if isinstance(steps, list) else ()):
        fault = step.get("fault") if isinstance(step, Mapping) else None
        if not isinstance(fault, Mapping):
            continue
        here: Location = ("steps", number, "fault")
        kind = fault.get("kind")
        model = KINDS.get(kind) if isinstance(kind, str) else None
        if model is None:
            given = "it is missing" if kind is None else f"{shorten(str(kind))} is not a kind{_near(str(kind), KINDS)}"
            yield source.finding((*here, "kind"), f"{given}; `gnomon fault kinds` lists them")
            continue
        if "at" in fault:
            yield source.finding((*here, "at"), "a scenario has no date: use after_s")
        try:
            model.model_validate(fault)
        except ValidationError as error:
            for location, reason in _explain(error, model):
                yield source.finding((*here, *location), reason)


def _explain(error: ValidationError, model: type[BaseModel]) -> Iterator[tuple[Location, str]]:
    """Yield place and reason of each mistake."""
    details = error.errors(include_url=False)
    for detail in details:
        location = detail["loc"]
        if detail["type"] == "too_short" and any(each["loc"][: len(location)] == location for each in details
                                                 if each is not detail):  # fmt: skip
            continue  # only since its items are wrong
        reason = detail["msg"].removeprefix("Value error, ")
        reason = f"{reason[0].lower()}{reason[1:]}"
        if detail["type"] == "extra_forbidden":
            known = _known(model, location[:-1])
            reason = f"unknown key{_near(str(location[-1]), known)}; known keys: {', '.join(known)}"
        elif detail["type"] == "missing":
            reason = "it is missing"
        elif isinstance(given := detail["input"], str | int | float):
            shown = shorten(given) if isinstance(given, str) else str(given)
            reason = reason if shown in reason else f"{reason}, not {shown}"
        yield location, reason


def _known(model: type[BaseModel], location: Location) -> list[str]:
    """Return the keys that a part of a document can have."""
    for part in location:
        annotation = model.model_fields[part].annotation if isinstance(part, str) else None
        model = next((each for each in _models(annotation)), model)
    return list(model.model_fields)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _models(each)


def _near(given: str, known: Any) -> str:
    near = near_names(given, known, 1)
    return f"; did you mean {near[0]}?" if near else ""


def _key(location: Location) -> str:
    """Write a location as people do: `steps.3.fault.delay_s`, steps counted from 1."""
    return ".".join(str(part + 1 if isinstance(part, int) else part) for part in location)
