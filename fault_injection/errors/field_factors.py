"""Factors between the ideal field and the true one, of each magnet and element."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from gnomon.fault_injection.errors.drawn import KIND_OF_ORDER, ORDER, MachineErrors
from gnomon.lattice import KICKS, MachineDocument
from gnomon.lattice.document import MagnetPart

Orders = tuple[float, float, float, float]

#: A coil that is rolled from x to y turns a horizontal kick upwards, and a vertical one to smaller x.
_SIGN = {"kick_x": 1.0, "kick_y": -1.0}


@dataclass(frozen=True, slots=True)
class FieldFactors:
    """Factors of a document's fields, all 1 without errors.

    `own` is that of each magnet on its supply, `cross` what a rolled steerer gives in the other plane, as a factor of
    its ideal field. `normal` and `skew` are those of each element's fields, order by order. `body_of` and `girder_of`
    are the names of what an element belongs to, by its name; elements without a field are missing.
    """

    own: Mapping[str, float]
    cross: Mapping[str, float]
    normal: Mapping[str, Orders]
    skew: Mapping[str, Orders]
    body_of: Mapping[str, str]
    girder_of: Mapping[str, str]

    @classmethod
    def of(cls, document: MachineDocument, errors: MachineErrors) -> Self:
        """Find the factors of a document's magnets and elements."""
        names = [part.name for part in document.elements]
        body_of = {names[i]: body.name for girder in errors.girders for body in girder.bodies for i in body.elements}
        girder_of = {names[i]: girder.name for girder in errors.girders for b in girder.bodies for i in b.elements}
        own: dict[str, float] = {}
        cross: dict[str, float] = {}
        skew_of: dict[str, float] = {}
        for magnet in document.magnets:
            if magnet.property in KICKS:
                own[magnet.name], cross[magnet.name] = _steering(magnet, errors)
                continue
            of = magnet.name if magnet.property == "k1s" else body_of.get(magnet.element, "")
            own[magnet.name] = 1.0 + errors.get(KIND_OF_ORDER[ORDER[magnet.property]], of)
            if magnet.property == "k1s":
                skew_of.setdefault(magnet.element, own[magnet.name])
        normal, skew = {}, {}
        for element, body in body_of.items():
            two, three, four = (1.0 + errors.get(kind, body) for kind in KIND_OF_ORDER.values())
            normal[element] = (1.0, two, three, four)
            skew[element] = (1.0, skew_of.get(element, two), three, four)
        return cls(own, {name: value for name, value in cross.items() if value}, normal, skew, body_of, girder_of)


def _steering(magnet: MagnetPart, errors: MachineErrors) -> tuple[float, float]:
    """Return the factors in a steerer's own plane and in the other one.

    With the rational form of sine and cosine, which are those of a roll larger by a twelfth of its third power, results
    do not depend on a library.
    """
    gain = 1.0 + errors.get("corrector_gain", magnet.name)
    half = 0.5 * errors.get("corrector_roll", magnet.name)
    whole = 1.0 + half * half
    return gain * (1.0 - half * half) / whole, gain * 2.0 * half / whole * _SIGN[magnet.property]
