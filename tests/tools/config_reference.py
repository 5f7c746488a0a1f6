"""Write docs/reference/configuration.md from the schema, `python -m tests.tools.config_reference`; a test checks it."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from gnomon.ioc.base.config import Config
from gnomon.ioc.base.settings_list import Setting, as_text, list_settings

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"

INTRODUCTION = """\
Every setting of a server, generated from the schema; `gnomon config explain KEY` says the same. The file is YAML, given
with `--config FILE` or in `GNOMON_CONFIG`; `gnomon config path` names the one in use, `gnomon config check FILE` checks
one. What is left out has its default; unknown keys are refused with their line. Options of `gnomon serve` take
precedence over the file, and the standard EPICS environment variables take precedence over section `network`."""


def render() -> str:
    """Render the page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Configuration"
    yield ""
    yield from INTRODUCTION.splitlines()
    for section, settings in groupby(list_settings(), lambda s: s.key.partition(".")[0] if "." in s.key else ""):
        yield ""
        yield f"## {section or 'The server'}"
        yield ""
        if section:
            description = type(getattr(Config(), section)).__doc__ or ""
            yield " ".join(description.split())
            yield ""
        yield "| key | meaning | type | default |"
        yield "|---|---|---|---|"
        yield from map(_row, settings)


def _row(setting: Setting) -> str:
    kind = f"{setting.type}, {setting.limits}" if setting.limits else setting.type
    default = "" if setting.is_part_of_item and setting.default is None else f"`{as_text(setting.default)}`"
    cells = (f"`{setting.key}`", setting.description, kind, default)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
