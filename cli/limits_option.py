"""The option that names the limits file of the gate, and its reading."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli.options import configure

if TYPE_CHECKING:
    from gnomon.recorder.gating import Limits

LimitsOption = Annotated[
    Path | None,
    typer.Option("--limits", help="Limits file of the machine.", show_default="gate.limits of the configuration"),
]


def own_limits(path: Path | None, config: Path | None) -> Path:
    """Find the limits file that was given, or that the configuration names. Raises LimitsError if there is none."""
    from gnomon.recorder import LimitsError

    path = path or configure(config).gate.limits
    if path is None:
        raise LimitsError("there is no limits file: give one, or name it as gate.limits in the configuration")
    return path


def read_own_limits(path: Path | None, config: Path | None) -> "Limits":
    """Read the limits file that was given, or that the configuration names, for PVs without prefix.

    Raises LimitsError.
    """
    from gnomon.recorder.gating import read_limits

    return read_limits(own_limits(path, config), "")
