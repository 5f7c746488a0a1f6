"""Write docs/reference/gate.md from the gate's code, `python -m tests.tools.gate_reference`; a test checks it."""

from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from gnomon.recorder.gating import CHECKS, MEANINGS, LimitsDocument, average_run_length

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "gate.md"

INTRODUCTION = """\
The safety gate decides about each value before it is written to a machine, and compares the machine with the prediction
after it. **It is not machine protection and must not be counted as such**: it cannot see what is not measured, it is a
program, and it may be left out by whoever wants to. It works inside the interlock's envelope.

This page is generated from the code. [How to use the gate](../how-to/use_the_gate.md) has the commands, and
`gnomon.recorder.gating` the [functions](api/recorder.md). The reasons for its design are in decisions
[116](../decisions/0116-the-gate-is-one-pure-function.md),
[117](../decisions/0117-one-time-tokens.md) and [118](../decisions/0118-audit-chained-by-hashes.md)."""

CHECKED = """\
`decide` makes all checks, in this order, and keeps every reason. A check that fails with an error of its own is a
reason, too. Comparisons are written so that NaN refuses. The bounds of the model come last: before the step, on its
way and after it, lower and upper bound, of every observable that the limits file limits. The interval of the working
point from before to after the step must hold no listed resonance."""

AFTER = """\
After the step, the measurement is compared with its band: beyond `outcome.stop_band` half widths, everything stops.
From `outcome.near_miss` on, the trust region is halved; after `trust_region.grow_after` hits in a row it is doubled.
Small deviations of one sign add up in cumulative sums, one for each observable and side."""

RUNS = """\
Average number of steps until the sums raise an alarm, by `outcome.cusum_slack` and `outcome.cusum_alarm`: without a
deviation, for one observable and for 200 independent ones (monitors are not independent, so alarms are rarer), and with
a deviation that stays in one of them. By Siegmund's approximation."""

LIMITS = """\
One YAML file for each machine, named as `gate.limits` in the [configuration](configuration.md). Nothing has a default.
`gnomon gate limits` writes one to be filled in, `gnomon gate check` names each missing limit with its line;
`recorder/schemas/gate_limits.json` is the JSON schema. Where it is allowed, `not checked` leaves a limit out, which
each verdict shows. `examples/gate/` has files for the twins of BESSY II and the MLS; they are not limits of the real
machines."""


def render() -> str:
    """Render the page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# The safety gate"
    yield ""
    yield from INTRODUCTION.splitlines()
    yield ""
    yield "## Checks before a step"
    yield ""
    yield from CHECKED.splitlines()
    yield ""
    yield "| check | refuses |"
    yield "|---|---|"
    for check in CHECKS:
        first = (check.__doc__ or "").splitlines()[0].removeprefix("Refuse ").rstrip(".")
        yield f"| `{check.__name__}` | {first} |"
    yield ""
    yield "## Reasons"
    yield ""
    yield "| code | meaning | remedy |"
    yield "|---|---|---|"
    for code, meaning in MEANINGS.items():
        yield f"| `{code.value}` | {meaning.meaning} | {meaning.remedy} |"
    yield ""
    yield "## After a step"
    yield ""
    yield from AFTER.splitlines()
    yield ""
    yield from RUNS.splitlines()
    yield ""
    yield "| slack | alarm | one observable | 200 observables | deviation of 1.5 | deviation of 3 |"
    yield "|---|---|---|---|---|---|"
    for slack, alarm in ((0.5, 8.0), (0.5, 10.0), (0.5, 12.0), (1.0, 8.0)):
        quiet = average_run_length(slack, alarm)
        cells = (slack, alarm, quiet, quiet / 200.0, *(average_run_length(slack, alarm, shift) for shift in (1.5, 3.0)))
        yield "| " + " | ".join(f"{cell:.3g}" if cell < 1e3 else f"{cell:.1e}" for cell in cells) + " |"
    yield ""
    yield "## The limits file"
    yield ""
    yield from LIMITS.splitlines()
    yield ""
    yield "| key | meaning | `not checked` |"
    yield "|---|---|---|"
    yield from _rows(LimitsDocument, "")


def _rows(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        inner = _models(field.annotation)
        optional = "not checked" in str(field.annotation)
        many = "[]" if get_origin(field.annotation) is tuple and inner else ""
        text = (
            field.description or " ".join((inner[0].__doc__ or "").split("\n\n")[0].split())
            if inner
            else field.description
        )
        yield f"| `{key}{many}` | {(text or '').rstrip('.')} | {'allowed' if optional else ''} |"
        for each in inner:
            yield from _rows(each, f"{key}{many}.")


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if isinstance(annotation, UnionType) or get_args(annotation):
        return [model for part in get_args(annotation) if part not in (NoneType, ...) for model in _models(part)]
    return []


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
