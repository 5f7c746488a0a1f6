"""The truth about a ring: for checks of what a program has done, never for the program itself."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from gnomon.clients.remote_ring import RemoteRing
from gnomon.lattice import GnomonError
from gnomon.testing.ring import Orbit

__all__ = ["HiddenError", "Truth", "TruthError"]

#: Time for `gnomon machine truth` [s].
TIMEOUT_S = 60.0


class TruthError(GnomonError):
    """The hidden errors cannot be told."""


@dataclass(frozen=True, slots=True)
class HiddenError:
    """One hidden error of a device of a machine: its kind, its value and the unit of that."""

    kind: str
    device: str
    value: float
    unit: str


class Truth:
    """The orbit of the beam itself, and the hidden errors of a machine, which the command line tells."""

    def __init__(self, remote: RemoteRing, configuration: Mapping[str, object], folder: Path) -> None:
        self._remote = remote
        self._configuration = configuration
        self._folder = folder

    @property
    def orbit(self) -> Orbit:
        """The closed orbit at the monitors, without their errors and faults, relative to the design axis."""
        read, optics = self._remote.orbit, self._remote.optics
        at = np.searchsorted(optics.columns["s"], np.asarray(read.columns["s"]) - 1e-9)
        return Orbit(tuple(read.names), read.columns["s"], optics.columns["x"][at], optics.columns["y"][at])

    def errors(self, *patterns: str) -> list[HiddenError]:
        """List the hidden errors of the devices whose names fit: what `gnomon machine truth` prints.

        Raises TruthError for a ring without any.
        """
        file = self._folder / "truth.yaml"
        file.write_text(yaml.safe_dump(dict(self._configuration)), encoding="utf-8")
        command = [sys.executable, "-c", "from gnomon.cli import main; main()", "machine", "truth", "--json"]
        done = subprocess.run(
            [*command, "--config", str(file), *(patterns or ("*",))],
            env={**os.environ, "COLUMNS": "200"}, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
        if done.returncode:
            raise TruthError(done.stderr.strip())
        rows = json.loads(done.stdout)["errors"]
        return [HiddenError(row["kind"], row["device"], float(row["value"]), row["unit"]) for row in rows]
