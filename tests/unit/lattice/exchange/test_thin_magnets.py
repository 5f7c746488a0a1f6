"""Magnets without a length: thin where the source integrates their strength, nothing where it does not."""

from typing import Any

import at
import numpy as np
import pytest

from gnomon.lattice.exchange import ExchangeError, ImportOptions
from gnomon.lattice.exchange.foreign import ForeignElement, ForeignRing
from gnomon.lattice.exchange.importing import build_import
from gnomon.lattice.exchange.translate import Translation, translate


def element(kind: str, method: str, length: float = 0.0, **attributes: Any) -> ForeignElement:
    """An element as a reader hands it on."""
    return ForeignElement("E", kind, method, length, attributes, "line 3")


def told(made: Translation) -> list[tuple[str, bool]]:
    """Attributes that were found amiss, and whether that is refused."""
    return [(f.attribute, f.changes_beam) for f in made.findings]


@pytest.mark.parametrize("method", ["StrMPoleSymplectic4Pass", "BndMPoleSymplectic4Pass"])
def test_a_thick_magnet_of_no_length_is_nothing_as_it_is_in_the_toolbox(method: str) -> None:
    made = translate(element("Quadrupole", method, PolynomB=[0.0, 0.0]))
    assert (made.part, told(made)) == ({"type": "marker"}, [])
    made = translate(element("Quadrupole", method, PolynomB=[0.0, 1.3]))
    assert (made.part, told(made)) == ({"type": "marker"}, [("PolynomB", False)])


def test_a_thin_magnet_with_an_effect_that_needs_length_is_refused() -> None:
    for attributes, attribute in (({"KickAngle": [1e-3, 0.0]}, "KickAngle"), ({"BendingAngle": 0.1}, "Length")):
        made = translate(element("Dipole", "BndMPoleSymplectic4Pass", **attributes))
        assert made.part is None
        assert told(made) == [(attribute, True)]


def test_integrated_strengths_stay_in_the_magnet_of_their_name() -> None:
    made = translate(element("Sextupole", "ThinMPolePass", PolynomB=[0.0, 0.0, 0.7]))
    assert made.part == {"type": "sextupole", "b3": 0.7, "length": 0.0}
    made = translate(element("ThinMultipole", "ThinMPolePass", PolynomB=[0.0, 0.0, 0.7]))
    assert made.part is not None
    assert (made.part["type"], made.part["length"]) == ("multipole", 0.0)


def test_a_thin_magnet_that_bends_the_reference_is_refused() -> None:
    made = translate(element("ThinMultipole", "ThinMPolePass", BendingAngle=[0.1, 0.0]))
    assert made.part is None
    assert told(made) == [("BendingAngle", True)]


def test_a_reader_may_say_where_an_element_stands() -> None:
    placed = {"dx": 1e-4, "roll": 0.2}
    made = translate(element("Quadrupole", "StrMPoleSymplectic4Pass", 0.3, PolynomB=[0.0, 1.0], Placed=placed))
    assert made.part == {"type": "quadrupole", "k1": 1.0, "length": 0.3, **placed}


def test_a_ring_without_a_length_is_refused() -> None:
    ring = ForeignRing("r", [element("Marker", "IdentityPass")], 1e9, None, 10)
    with pytest.raises(ExchangeError, match="r: the ring has no length"):
        build_import(ring, "r", ImportOptions())


def test_a_bend_that_is_tilted_by_design_is_refused_as_such() -> None:
    bend = at.Dipole("B", 1.0, 0.1)
    at.transform_elem(bend, tilt_frame=np.pi / 2)
    frames = {name: getattr(bend, name) for name in ("T1", "T2", "R1", "R2")}
    made = translate(element("Dipole", "BndMPoleSymplectic4Pass", 1.0, BendingAngle=0.1, **frames))
    assert made.part is None
    assert [f.why.split(":")[0] for f in made.findings] == ["a bend out of the plane has no kernel"]
