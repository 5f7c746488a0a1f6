"""Write docs/reference/scenarios.md from the shipped scenarios, `python -m tests.tools.scenario_reference`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gnomon.testing.scenarios import describe_step, find_scenario, shipped_scenarios
from gnomon.testing.scenarios.scenario_document import Scenario
from gnomon.testing.scenarios.steps import ACTIONS, EXPECTATIONS, Step

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "scenarios.md"

INTRODUCTION = """\
Failures that control rooms know, generated from the scenarios that come with gnomon; `gnomon fault scenarios` lists
them. `gnomon fault run NAME --start -- COMMAND` plays one with your program as the application under test
([how to](../how-to/inject_faults.md)), and `gnomon fault show NAME --source` prints the file, to begin one of your own.
The programs named here stand in `examples/`; CI plays each scenario with them."""

KEYS = """\
A scenario is a YAML document: `title`, `happened`, `good`, `application`, `ring` (`machine`, `role`), `seed` and
`steps`; the JSON schema is `testing/schemas/scenario.schema.json`. Each step is one of the following, and may have a
`name` (for `clear` and `since`) and a `note`. Names of PVs are without prefix. Numbers are written as on a command
line."""


def render() -> str:
    """Render the page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    scenarios = {name: find_scenario(name).scenario for name in shipped_scenarios()}
    yield "# Scenarios"
    yield ""
    yield from INTRODUCTION.splitlines()
    yield ""
    yield "| scenario | for | kinds of faults |"
    yield "|---|---|---|"
    for name, each in scenarios.items():
        kinds = ", ".join(f"`{kind}`" for kind in each.faults)
        yield f"| [{each.title}](#{_anchor(each.title)}), `{name}` | {each.application} | {kinds} |"
    for name, each in scenarios.items():
        yield ""
        yield from _scenario(name, each)
    yield ""
    yield from _keys()


def _scenario(name: str, scenario: Scenario) -> Iterator[str]:
    yield f"## {scenario.title}"
    yield ""
    yield f"`{name}`: {scenario.ring.machine}, role {scenario.ring.role}; for: {scenario.application}."
    yield ""
    yield f"**What happens.** {scenario.happened}"
    yield ""
    yield f"**A good application.** {scenario.good}"
    if scenario.examples is not None:
        yield ""
        naive = f", and `{scenario.examples.naive}` fails" if scenario.examples.naive else ""
        yield f"`{scenario.examples.careful}` passes{naive}."
    yield ""
    for number, step in enumerate(scenario.steps, 1):
        yield f"{number}. {_escaped(describe_step(step))}{f' ({_escaped(step.note)})' if step.note else ''}"


def _keys() -> Iterator[str]:
    yield "## Steps and their keys"
    yield ""
    yield from KEYS.splitlines()
    yield ""
    yield "| key | meaning |"
    yield "|---|---|"
    for key in (*ACTIONS, *EXPECTATIONS):
        field = Step.model_fields[key]
        model = next((each for each in _models(field.annotation)), None)
        meaning = field.description or (model.__doc__ or "").strip().splitlines()[0]
        yield f"| `{key}` | {_escaped(meaning)} |"
        for name, inner in model.model_fields.items() if model is not None else ():
            default = f"; default {inner.default:g}" if isinstance(inner.default, float) and inner.default else ""
            yield f"| `{key}: {{{name}: ...}}` | {_escaped(inner.description or '')}{default} |"


def _models(annotation: Any) -> Iterator[type[Any]]:
    for each in (annotation, *getattr(annotation, "__args__", ())):
        if hasattr(each, "model_fields"):
            yield each


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;")


def _anchor(title: str) -> str:
    return "".join(c for c in title.lower().replace(" ", "-") if c.isalnum() or c == "-")


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
