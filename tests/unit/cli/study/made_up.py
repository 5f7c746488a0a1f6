"""Results of studies that nobody has computed, with values that are easy to follow."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.propagator.studies.result_files import Quantity, StudyResult


@dataclass
class Asked:
    """A call of a study."""

    machine: str
    origin: str
    options: dict[str, Any]


def result(quantities: dict[str, Any], names: dict[str, tuple[str, ...]], **facts: str) -> StudyResult:
    return StudyResult("made up", facts, names, {k: Quantity(np.asarray(v), "") for k, v in quantities.items()})


def rows(output: str) -> dict[str, list[str]]:
    """Cells of each line by the first one."""
    lines = (line.split() for line in output.splitlines())
    return {cells[0]: cells[1:] for cells in lines if cells}


TUNE = result(
    {
        "tune": [17.85, 6.74], "chromaticity": [1.5, -2.5], "beta": [[10.0, 3.0], [4.0, 20.0], [1.0, 1.0]],
        "dispersion": [[-0.5, 0, 0.01, 0], [0.25, 0, -0.02, 0]], "momentum compaction": 7.3e-4,
        "tune response": [[0.1, -3.0], [0.2, 1.0]],
        "tune by supply": [[0.01, 0.02, 0.0], [0.0, -0.03, 0.0]], "chromaticity by supply": [[0, 0, 2.5], [0, 0, -1.5]],
    },
    {"knob": ("QA", "QB"), "knob parameters": ("b2", "b2"), "supply": ("PA", "PB", "PS")},
    **{"no synchrotron motion": "no [cavity] voltage"},
)  # fmt: skip
ORM = result(
    {
        "x, momentum held": [[3.0, 100.0], [4.0, 100.0]], "y, momentum held": [[0.0, 2.0], [0.0, 2.0]],
        "x, frequency held": [[1.0, 50.0], [1.0, 50.0]],
        "x, by RF frequency": [2e-9, 2e-9], "y, by RF frequency": [0.0, 0.0], "momentum deviation": 1e-5,
        "x by supply, momentum held": [[3.0, 0.0], [4.0, 0.0]], "y by supply, momentum held": [[0.0, 2.0], [0.0, 2.0]],
        "x by supply, frequency held": [[1.0, 0.0], [1.0, 0.0]],
        "monitor valid": [True, False], "supply valid": [True, True],
    },
    {"knob": ("H", "V"), "knob parameters": ("kick_x", "kick_y"), "supply": ("HP", "VP"), "supply plane": ("x", "y"),
     "monitors": ("BPM1", "BPM[2]")},
)  # fmt: skip
COMPARISON = result(
    {
        "tune": [[17.85, 6.74], [17.86, 6.74]], "chromaticity": [[1.5, -2.5], [1.0, -2.5]],
        "momentum deviation": [0.0, -2e-5], "momentum compaction": [7.3e-4, 7.4e-4],
        "beta beating": [[0.03, 0.0], [-0.04, 0.0]], "orbit change": [[0.0, 1e-3], [0.0, 1e-3]],
        "dispersion change": [[0.0, 0.0], [0.0, -0.02]],
        "setting first": [0.5, 1.0, 100.0], "setting second": [0.25, 1.5, 100.001],
    },
    {
        "side": ("snapshot [a]", "command 5 of 'TWIN:'"),
        "setting": ("Q[1] k1_trim", "P1 current", "P2 current"), "setting unit": ("1/m^2", "A", "A"),
    },
)  # fmt: skip
