"""The document of the machine as it really is: valid, with the true values, and the ideal one without errors."""

import json

import pytest

from gnomon.fault_injection.errors import ErrorSizes, MachineErrors, draw_errors, true_document
from gnomon.lattice import MachineDocument, Ring, parse_machine
from gnomon.lattice.document import BendPart, CorrectorPart, QuadrupolePart
from unit.fault_injection.errors.machines import BESSY, MLS, SIZES, SMALL

DOCUMENTS = pytest.mark.parametrize("document", [BESSY, MLS, SMALL], ids=["bessy2", "mls", "small"])


def with_one(kind: str, device: str, value: float, document: MachineDocument = SMALL) -> MachineErrors:
    """Errors of which only one is not zero."""
    errors = draw_errors(document, 1, ErrorSizes())
    assert device in errors.values[kind]
    return MachineErrors(1, errors.sizes, errors.girders, {**errors.values, kind: {device: value}})


@DOCUMENTS
def test_without_errors_it_is_the_ideal_document(document: MachineDocument) -> None:
    assert true_document(document, draw_errors(document, 1, ErrorSizes())) == document


@DOCUMENTS
def test_with_errors_it_is_a_valid_document_with_the_same_nominal_currents(document: MachineDocument) -> None:
    true = true_document(document, draw_errors(document, 1, SIZES))
    again = parse_machine(true.model_dump_json(by_alias=True, exclude_defaults=True), "true")
    assert again == true
    ideal, ring = Ring(document), Ring(again)
    assert len(ring.optics) == len(ideal.optics)
    for name, lattice in {"nominal": ring.nominal, **ring.optics}.items():
        expected = ideal.optics.get(name, ideal.nominal)
        for supply in document.supplies:
            current = expected[supply.name, "current"]
            assert lattice[supply.name, "current"] == pytest.approx(current, rel=1e-12, abs=1e-12)


def test_a_quadrupole_s_gradient_changes_with_its_conversion() -> None:
    true = true_document(SMALL, with_one("quadrupole_gradient", "QF", 0.01))
    part = next(p for p in true.elements if p.name == "QF")
    assert isinstance(part, QuadrupolePart)
    assert part.k1 == pytest.approx(1.2 * 1.01)
    slopes = {m.name: getattr(m.conversion, "slope", None) for m in true.magnets}
    assert slopes["QF"] == pytest.approx(0.05 * 1.01)
    assert slopes["QFT"] == pytest.approx(0.01 * 1.01)


def test_a_polynomial_and_a_table_give_as_many_times_their_field() -> None:
    errors = draw_errors(SMALL, 3, SIZES)
    true = Ring(true_document(SMALL, errors))
    ideal = Ring(SMALL)
    for number, (name, kind) in {1: ("QD", "quadrupole_gradient"), 2: ("SF", "sextupole_strength")}.items():
        was, now = ideal.magnets[number], true.magnets[number]
        assert now.conversion.field(40.0) == pytest.approx(was.conversion.field(40.0) * (1.0 + errors.get(kind, name)))


def test_a_bend_s_field_error_is_a_dipole_field_beside_its_own() -> None:
    true = true_document(SMALL, with_one("dipole_field", "B1", 1e-3))
    part = next(p for p in true.elements if p.name == "B1")
    assert isinstance(part, BendPart)
    assert list(part.b) == pytest.approx([1e-3 * 0.2 / 1.0, 0.0, 0.0, 0.0])
    assert part.angle == pytest.approx(0.2)


def test_a_girder_moves_its_magnets_in_addition_to_what_moves_each() -> None:
    errors = draw_errors(MLS, 1, SIZES)
    parts = {part.name: part for part in true_document(MLS, errors).elements}
    girder = next(girder for girder in errors.girders if len(girder.bodies) > 2)
    for body in girder.bodies:
        for field, kind in (("dx", "x"), ("dy", "y"), ("roll", "roll")):
            expected = errors.get(f"girder_{kind}", girder.name) + errors.get(f"magnet_{kind}", body.name)
            assert getattr(parts[body.name], field) == expected


def test_a_rolled_coil_is_a_second_magnet_on_the_same_supply() -> None:
    true = true_document(SMALL, with_one("corrector_roll", "CX", 0.01))
    own = next(m for m in true.magnets if m.name == "CX")
    rolled = next(m for m in true.magnets if m.name == "CX.roll")
    assert (rolled.property, rolled.element, rolled.supply) == ("kick_y", own.element, own.supply)
    assert getattr(own.conversion, "slope", 0.0) == pytest.approx(3e-3 * (1.0 - 0.5e-4), rel=1e-8)
    assert getattr(rolled.conversion, "slope", 0.0) == pytest.approx(3e-3 * 0.01, rel=1e-4)


def test_a_rolled_coil_with_a_nominal_kick_leaves_nominal_currents_and_turns_that_kick() -> None:
    text = json.loads(SMALL.model_dump_json(by_alias=True, exclude_defaults=True))
    for part in text["elements"]:
        if part["name"] == "SF":
            part |= {"kick_x": 1e-3, "kick_y": 2e-4}
    document = parse_machine(json.dumps(text), "kicked")
    true = Ring(true_document(document, with_one("corrector_roll", "CX", 0.01, document)))
    ideal = Ring(document)
    assert true.nominal["CP", "current"] == pytest.approx(ideal.nominal["CP", "current"], rel=1e-9)
    element = true.nominal.element(true.index["SF"])
    assert getattr(element, "kick_x", 0.0) == pytest.approx(1e-3, rel=1e-4)
    assert getattr(element, "kick_y", 0.0) == pytest.approx(2e-4 + 1e-5, rel=1e-4)
    off = true.nominal.updated({("CP", "current"): 0.0}).element(true.index["SF"])
    assert getattr(off, "kick_y", 0.0) == pytest.approx(2e-4, rel=1e-6)


def test_a_steerer_of_its_own_keeps_its_place() -> None:
    assert next(p for p in SMALL.elements if p.name == "C1") == CorrectorPart(type="corrector", name="C1")
    assert next(p for p in true_document(SMALL, draw_errors(SMALL, 1, SIZES)).elements if p.name == "C1").name == "C1"
