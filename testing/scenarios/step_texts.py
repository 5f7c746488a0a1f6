"""Steps of a scenario in words, for the display while it is played and for its report."""

from gnomon.fault_injection import find_kind
from gnomon.testing.scenarios.steps import ExpectApplication, ExpectJournal, ExpectPv, Step

#: Settings that a line names.
MAX_NAMED = 3


def describe_step(step: Step) -> str:
    """Describe a step in a line."""
    match step.kind:
        case "put":
            puts = [f"{name} = {describe_value(value)}" for name, value in (step.put or {}).items()]
            more = f" and {len(puts) - MAX_NAMED} more" if len(puts) > MAX_NAMED else ""
            return f"put {', '.join(puts[:MAX_NAMED])}{more}"
        case "fault":
            fault = step.fault or {}
            return f"fault: {find_kind(fault['kind']).model_validate(fault).describe()}"
        case "clear":
            return f"clear {'all of its faults' if step.clear == 'all' else f'the fault {step.clear}'}"
        case "wait_s":
            return f"wait {step.wait_s:g} s"
        case "until":
            assert step.until is not None
            return f"wait until {step.until.condition}, at most {step.until.within_s:g} s"
        case "start" | "stop":
            return f"{step.kind} the application"
        case "finish":
            assert step.finish is not None
            return f"the application ends within {step.finish.within_s:g} s"
    return _expectation(step)


def _expectation(step: Step) -> str:
    if step.expect_pv is not None:
        return _pv(step.expect_pv)
    if step.expect_journal is not None:
        return _journal(step.expect_journal)
    assert step.expect_application is not None
    return _application(step.expect_application)


def _pv(asked: ExpectPv) -> str:
    said = []
    if asked.value is not None:
        said.append(f"is {describe_value(asked.value)}{f' +- {asked.tolerance:g}' if asked.tolerance else ''}")
    if asked.unchanged:
        said.append(f"is as before{f' +- {asked.tolerance:g}' if asked.tolerance else ''}")
    said += [f"is {sign} {limit:g}" for sign, limit in ((">", asked.above), ("<", asked.below)) if limit is not None]
    said += [f"has severity {asked.severity}"] if asked.severity else []
    return f"{asked.pv} {', '.join(said)}{_when(asked.within_s, asked.for_s)}"


def _journal(asked: ExpectJournal) -> str:
    which = "" if asked.commands == "*" else f" to {asked.commands}"
    which += "" if asked.client == "*" else f" from {asked.client}"
    which += "" if asked.outcome is None else f" that were {asked.outcome}"
    said = []
    if asked.count is not None:
        said.append("no commands" if asked.count == 0 else f"{asked.count} commands")
    said += [] if asked.at_least is None else [f"at least {asked.at_least} commands"]
    said += [] if asked.at_most is None else [f"at most {asked.at_most} commands"]
    said += [f"no step above {asked.max_step:g}"] if asked.max_step is not None else []
    said += [f"at most {asked.max_per_s} commands in a second"] if asked.max_per_s is not None else []
    said += [f"in the order {', '.join(asked.order)}"] if asked.order else []
    since = f" since {asked.since}" if asked.since else ""
    return f"journal: {', '.join(said)}{which}{since}{_when(asked.within_s, asked.for_s)}"


def _application(asked: ExpectApplication) -> str:
    said = []
    if asked.exit_code is not None:
        said.append(f"exit code {asked.exit_code}")
    said += ["it fails"] if asked.fails else []
    said += [f"it printed {asked.printed}"] if asked.printed is not None else []
    said += [f"it did not print {asked.not_printed}"] if asked.not_printed is not None else []
    said += [] if asked.running is None else ["it runs" if asked.running else "it has ended"]
    said += [f"it took less than {asked.took_less_than_s:g} s"] if asked.took_less_than_s is not None else []
    return f"application: {', '.join(said)}"


def describe_value(value: float | str) -> str:
    """Write the value of a PV."""
    return value if isinstance(value, str) else f"{value:.9g}"


def _when(within_s: float, for_s: float) -> str:
    return (f" within {within_s:g} s" if within_s else "") + (f" for {for_s:g} s" if for_s else "")
