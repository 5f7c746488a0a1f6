"""A scenario against a machine and its PVs, without a server: every name, every pattern, every target of a fault."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache

from gnomon.db import shipped_machines
from gnomon.db.canonical_name import canonical_name
from gnomon.db.pvs import Kind, PvSpec
from gnomon.fault_injection import find_kind
from gnomon.ioc.app.offline_targets import OfflineTargets
from gnomon.ioc.base.config import Config
from gnomon.ioc.base.machines import find_machine
from gnomon.lattice import DocumentError
from gnomon.lattice.near_names import near_names_hint
from gnomon.lattice.text import shorten
from gnomon.testing.scenarios.scenario_reading import Finding, Location, ReadScenario
from gnomon.testing.scenarios.steps import ExpectJournal, ExpectPv, Step

#: Any prefix does, since a scenario has none.
PREFIX = "TWIN:"
SINGLE = (Kind.FLOAT, Kind.INT, Kind.ENUM, Kind.STRING)


def check_scenario(read: ReadScenario) -> None:
    """Check a scenario against its machine. Raises ScenarioError with every name that the machine does not have."""
    targets = _targets(read)
    specs = targets.specs
    named = {spec.name.removeprefix(PREFIX): spec for spec in specs}
    findings: list[Finding] = []
    for number, step in enumerate(read.scenario.steps):
        here: Location = ("steps", number)
        if step.fault is not None:
            request = find_kind(step.fault["kind"]).model_validate(step.fault)
            if reason := targets.without_target(request):
                place = (*here, "fault", _key_of(reason, step))
                findings.append(read.source.finding(place, reason.removeprefix("condition: ")))
        for location, reason in (*_wrong_pvs(step, named), *_wrong_patterns(step, specs)):
            findings.append(read.source.finding((*here, *location), reason))
    read.refuse(findings)


def _targets(read: ReadScenario) -> OfflineTargets:
    name = read.scenario.ring.machine
    try:
        if name in shipped_machines():
            return _of_shipped(name)
        return OfflineTargets(find_machine(Config(machine=str(read.folder / name) if _is_file(name) else name)), PREFIX)
    except DocumentError as error:
        read.refuse([read.source.finding(("ring", "machine"), str(error))])
        raise


@lru_cache(maxsize=4)
def _of_shipped(name: str) -> OfflineTargets:
    return OfflineTargets(find_machine(Config(machine=name)), PREFIX)


def _is_file(name: str) -> bool:
    return name.endswith(".json")


def _key_of(reason: str, step: Step) -> str:
    """Choose the key that a refusal of a target is about."""
    keys = step.fault or {}
    if reason.startswith("condition"):
        return "condition"
    quoted = [key for key in ("device", "other", "pv", "property") if key in keys and shorten(str(keys[key])) in reason]
    return "property" if "property" in quoted else next(iter(quoted), "kind")


def _wrong_pvs(step: Step, named: dict[str, PvSpec]) -> Iterator[tuple[Location, str]]:
    for name, location in step.pvs():
        spec = named.get(canonical_name(name, PREFIX))
        if spec is None:
            yield location, f"there is no PV {shorten(name)}{near_names_hint(canonical_name(name, PREFIX), named)}"
        elif step.put is not None and not spec.writable:
            yield location, f"{name} cannot be written"
        elif step.put is not None:
            yield from ((location, reason) for reason in _wrong_value(spec, step.put[name]))
        elif spec.kind not in SINGLE or (step.until is not None and spec.kind is Kind.STRING):
            yield location, f"{name} is not a single {'number' if step.until is not None else 'value'}"
        elif step.expect_pv is not None:
            yield from _wrong_expectation(step.expect_pv, spec)


def _wrong_value(spec: PvSpec, value: float | str) -> Iterator[str]:
    """Look for a value that the server would refuse."""
    if spec.kind is Kind.ENUM and isinstance(value, str) and value not in spec.states:
        yield f"{shorten(value)} is not one of its states: {', '.join(spec.states)}"
    elif spec.kind in (Kind.FLOAT, Kind.INT) and isinstance(value, str):
        yield f"{shorten(value)} is not a number"
    elif spec.kind is Kind.FLOAT and spec.drive and not spec.drive[0] <= float(value) <= spec.drive[1]:
        low, high = spec.drive
        yield f"{value:g} {spec.unit}: outside the drive limits {low:g} to {high:g} {spec.unit}"


def _wrong_expectation(expected: ExpectPv, spec: PvSpec) -> Iterator[tuple[Location, str]]:
    """Look for a value that the PV can never have."""
    here = ("expect_pv", "value")
    if spec.kind in (Kind.FLOAT, Kind.INT) and isinstance(expected.value, str):
        yield here, f"{expected.pv} is a number, and {shorten(expected.value)} is not"
    elif spec.kind is Kind.ENUM and isinstance(expected.value, str) and expected.value not in spec.states:
        yield here, f"{shorten(expected.value)} is not one of its states: {', '.join(spec.states)}"


def _wrong_patterns(step: Step, specs: Sequence[PvSpec]) -> Iterator[tuple[Location, str]]:
    """Look for patterns of commands that fit nothing that can be set."""
    asked: ExpectJournal | None = step.expect_journal
    if asked is None:
        return
    names = [spec.name.removeprefix(PREFIX) for spec in specs if spec.writable]
    names += dict.fromkeys(spec.device for spec in specs if spec.writable and spec.device)
    patterns: list[tuple[Location, str]] = [(("expect_journal", "commands"), asked.commands)]
    patterns += [(("expect_journal", "order", n), each) for n, each in enumerate(asked.order or ())]
    for location, pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            yield location, f"no setpoint or device matches {shorten(pattern)}{near_names_hint(pattern, names)}"
