"""Elements that move together: pieces of one magnet, and magnets on one girder."""

import pytest

from gnomon.fault_injection.errors.moving_together import bodies_of, girders_of
from gnomon.lattice import MachineDocument
from gnomon.lattice.document import DriftPart, MarkerPart, QuadrupolePart
from unit.fault_injection.errors.machines import BESSY, MLS, SMALL


def test_elements_of_one_type_that_touch_are_one_magnet() -> None:
    half = {"type": "quadrupole", "length": 0.1, "k1": 1.0}
    document = SMALL.model_copy(
        update={
            "elements": (
                QuadrupolePart(name="Q_1", **half),
                MarkerPart(type="marker", name="MIDDLE"),
                QuadrupolePart(name="Q_2", **half),
                DriftPart(type="drift", name="D", length=0.1),
                QuadrupolePart(name="R", **half),
            )
        }
    )
    assert [(body.name, body.elements) for body in bodies_of(document)] == [("Q_1", (0, 2)), ("R", (4,))]


def test_elements_of_different_types_are_different_magnets_even_if_they_touch() -> None:
    assert [body.name for body in bodies_of(SMALL)] == ["QF", "B1", "SF", "QD", "OC", "MP"]


def test_a_gap_that_is_longer_than_given_ends_a_girder() -> None:
    def girders(gap_m: float) -> list[list[str]]:
        return [[body.name for body in girder.bodies] for girder in girders_of(SMALL, gap_m)]

    assert girders(0.999) == [["QF"], ["B1", "SF", "QD", "OC", "MP"]]
    assert girders(1.0) == [["QF", "B1", "SF", "QD", "OC", "MP"]]


@pytest.mark.parametrize(("document", "bend"), [(BESSY, "BM"), (MLS, "BM")], ids=["bessy2", "mls"])
def test_girders_of_the_shipped_rings_hold_what_stands_between_two_bends(document: MachineDocument, bend: str) -> None:
    girders = girders_of(document, 0.4)
    for girder in girders:
        names = [body.name for body in girder.bodies]
        assert len(names) <= 7
        assert len(names) == 1 or not any(name.startswith(bend) for name in names)
    assert [body.name for girder in girders for body in girder.bodies] == [body.name for body in bodies_of(document)]
