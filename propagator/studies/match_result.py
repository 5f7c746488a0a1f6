"""The study of a match: its result, with the lattice before and after side by side."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from gnomon.lattice import Lattice
from gnomon.propagator.studies.lattice_comparison import Version, study_comparison
from gnomon.propagator.studies.matching import Target, chosen_supplies, match
from gnomon.propagator.studies.result_files import Quantity, StudyResult
from gnomon.propagator.studies.study_parts import Say


def study_match(lattice: Lattice, origin: str, say: Say, target: Target, patterns: Iterable[str]) -> StudyResult:
    """Match, and compare the lattice before and after.

    Raises what `match`, `chosen_supplies` and `study_comparison` raise.
    """
    supplies = chosen_supplies(lattice, patterns, target)
    found = match(lattice, target, supplies, say)
    compared = study_comparison(Version(lattice, origin), Version(found.lattice, "matched"))
    rows, moves = found.rows, found.moves
    condition = {key: np.array([getattr(row, key) for row in rows]) for key in ("wanted", "linear", "found")}
    currents = {key: np.array([getattr(move, key) for move in moves]) for key in ("before", "after", "low", "high")}
    return replace(
        compared,
        study="match",
        facts={**compared.facts, **({"not reached": found.reason} if found.reason else {})},
        names={
            **compared.names,
            "condition": tuple(row.name for row in rows),
            "condition unit": tuple(row.unit for row in rows),
            "supply": supplies,
        },
        quantities={
            "reached": Quantity(np.array(found.reached), "1"),
            **{key: Quantity(data, "as condition unit", ("condition",)) for key, data in condition.items()},
            **{key: Quantity(data, "A", ("supply",)) for key, data in currents.items()},
            **compared.quantities,
        },
    )
