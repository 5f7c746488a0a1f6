"""The middle ground of all imports: a ring as another program describes it, in the accelerator toolbox's words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.lattice.exchange.findings import Finding


@dataclass(frozen=True, slots=True)
class ForeignElement:
    """One element: its family's name, its class there, how it is tracked there, its length [m], all else as read."""

    name: str
    kind: str
    method: str
    length: float
    attributes: Mapping[str, Any]
    place: str

    def number(self, attribute: str, default: float = 0.0) -> float:
        """A number, `default` where it is not given; an array's first number."""
        values = np.ravel(np.asarray(self.attributes.get(attribute, default), dtype=float))
        return float(values[0]) if values.size else default

    def numbers(self, attribute: str) -> tuple[float, ...]:
        """An array as plain numbers, empty where it is not given."""
        return tuple(np.ravel(np.asarray(self.attributes.get(attribute, ()), dtype=float)).tolist())

    def finding(self, attribute: str, why: str, *, changes_beam: bool = True) -> Finding:
        """A finding about this element."""
        return Finding(self.name, self.kind, attribute, why, self.place, changes_beam)


@dataclass(frozen=True, slots=True)
class ForeignRing:
    """A ring as read: all its elements in beam order, and what its reader itself left out.

    `energy_ev` and `harmonic_number` are None where the file does not give them.
    """

    name: str
    elements: Sequence[ForeignElement]
    energy_ev: float | None
    rest_energy_ev: float | None
    harmonic_number: int | None
    findings: tuple[Finding, ...] = ()
