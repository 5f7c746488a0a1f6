"""One foreign element to one part of a machine document.

How an element is tracked where it comes from decides what it is here, its class and name decide only what it is
called. Whatever its tracking would read and this ring cannot say is a finding.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gnomon.lattice.elements import ORDERS, SLICES
from gnomon.lattice.exchange.findings import Finding
from gnomon.lattice.exchange.foreign import ForeignElement
from gnomon.lattice.exchange.placing import PLACED, find_placing

#: What each way of tracking reads, besides the length.
PLACING = frozenset({"T1", "T2", "R1", "R2", PLACED})
APERTURES = frozenset({"EApertures", "RApertures", "Limits", "Axes"})
FIELD = frozenset({"PolynomA", "PolynomB", "MaxOrder", "NumIntSteps", "KickAngle"})
FRINGES = frozenset({"FringeQuadEntrance", "FringeQuadExit", "fringeIntM0", "fringeIntP0"})
EDGES = frozenset(
    {"BendingAngle", "EntranceAngle", "ExitAngle", "FullGap", "FringeInt1", "FringeInt2", "FringeBendEntrance",
     "FringeBendExit"}
)  # fmt: skip

#: Ways of tracking that differ from ours in no more than what a finding can tell, and what they are nearest to.
STRAIGHT, BENT, THIN, STEERER, EMPTY, NOTHING, CAVITY = (
    "StrMPoleSymplectic4Pass",
    "BndMPoleSymplectic4Pass",
    "ThinMPolePass",
    "CorrectorPass",
    "DriftPass",
    "IdentityPass",
    "RFCavityPass",
)
SAME = {
    "CavityPass": CAVITY,
    "StrMPoleSymplectic4RadPass": STRAIGHT,
    "StrMPoleSymplectic4QuantPass": STRAIGHT,
    "BndMPoleSymplectic4RadPass": BENT,
    "BndMPoleSymplectic4QuantPass": BENT,
    "ThinMPoleRadPass": THIN,
}
NEAR = {
    "BndMPoleSymplectic4E2Pass": (BENT, "second-order edges of a bend"),
    "BndMPoleSymplectic4E2RadPass": (BENT, "second-order edges of a bend"),
    "BendLinearPass": (BENT, "a bend as an exact matrix"),
    "QuadLinearPass": (STRAIGHT, "a quadrupole as an exact matrix"),
    "QuadMPoleFringePass": (STRAIGHT, "a quadrupole with fringe fields"),
    "BndStrMPoleSymplectic4Pass": (BENT, "a bend with straight poles"),
    "ExactMultipolePass": (STRAIGHT, "the square root of the Hamiltonian not expanded"),
    "ExactMultipoleRadPass": (STRAIGHT, "the square root of the Hamiltonian not expanded"),
    "ExactSectorBendPass": (BENT, "the square root of the Hamiltonian not expanded"),
    "ExactSectorBendRadPass": (BENT, "the square root of the Hamiltonian not expanded"),
    "ExactRectangularBendPass": (BENT, "the square root of the Hamiltonian not expanded"),
    "ExactDriftPass": (EMPTY, "the square root of the Hamiltonian not expanded"),
}

READ = {
    STRAIGHT: FIELD | FRINGES | PLACING | {"Scaling", "FieldScaling"},
    BENT: FIELD | FRINGES | EDGES | PLACING | {"Scaling", "FieldScaling"},
    THIN: FIELD - {"NumIntSteps"} | PLACING | {"BendingAngle", "Scaling", "FieldScaling"},
    STEERER: PLACING | {"KickAngle", "Scaling", "FieldScaling"},
    EMPTY: PLACING,
    NOTHING: PLACING | {"Offset", "GCR"},
    CAVITY: frozenset({"Voltage", "Frequency", "HarmNumber", "TimeLag", "PhaseLag"}) | PLACING,
}

#: Attributes that say again what others say, or that the toolbox keeps for itself.
SILENT = frozenset(
    {"FamName", "Length", "PassMethod", "Class", "Energy", "K", "H", "Name", "dx", "dy", "dz", "tilt", "pitch", "yaw",
     "tilt_frame", "reference", "origin"}
)  # fmt: skip

IDENTITY = np.eye(6)


@dataclass
class Translation:
    """Result of translating an element: a part without its name, and findings. `part` is None if there is none."""

    part: dict[str, Any] | None = None
    findings: list[Finding] = field(default_factory=list)
    monitor: bool = False


def translate(element: ForeignElement, *, approximate: bool = False) -> Translation:
    """The part that stands for an element; with `approximate`, the nearest one where there is one."""
    made = Translation()
    method = _method(element, made, approximate)
    if method is None:
        return made
    made.part = BUILDERS[method](element, made)
    if made.part is not None:
        for attribute in sorted(element.attributes.keys() - READ[method] - SILENT):
            if not attribute.startswith("_") and element.attributes[attribute] is not None:
                made.findings.append(_unread(element, attribute))
    if any(f.changes_beam for f in made.findings) and not approximate:
        made.part = None
    return made


def empty(element: ForeignElement) -> dict[str, Any]:
    """The part that an element leaves behind when the user drops it: free space, or a marker."""
    if element.length > 0.0:
        return {"type": "drift", "length": element.length}
    return {"type": "marker"}


def _method(element: ForeignElement, made: Translation, approximate: bool) -> str | None:
    method = SAME.get(element.method, element.method)
    if not (np.isfinite(element.length) and element.length >= 0.0):
        made.findings.append(element.finding("Length", f"{element.length:g} m; a length must be 0 or more"))
        return None
    if method in NEAR:
        near, why = NEAR[method]
        made.findings.append(element.finding("PassMethod", f"{method}: {why}"))
        return near if approximate else None
    if method == "GWigSymplecticPass" and element.number("Bmax") == 0.0:
        return EMPTY  # without a field a wiggler is free space
    if method == "Matrix66Pass" and element.length == 0.0 and _is_identity(element.attributes.get("M66")):
        return NOTHING
    if method in ("AperturePass", "EAperturePass", "LongtAperturePass"):
        return NOTHING
    if method == NOTHING and element.kind == "RFCavity" and element.length == 0.0:
        return CAVITY  # switched off where it comes from
    if method == EMPTY and element.kind == "RFCavity":
        return CAVITY
    if method == NOTHING and element.length > 0.0:
        made.findings.append(element.finding("PassMethod", f"{method} over {element.length:g} m: not even a drift"))
        return EMPTY if approximate else None
    if method not in BUILDERS:
        made.findings.append(element.finding("PassMethod", f"{method}: there is no such element here"))
        return None
    return method


def _unread(element: ForeignElement, attribute: str) -> Finding:
    why = "an aperture; not imported" if attribute in APERTURES else "no effect on the beam"
    return element.finding(attribute, why, changes_beam=False)


def _is_identity(matrix: Any) -> bool:
    return matrix is not None and np.shape(matrix) == (6, 6) and bool(np.all(np.asarray(matrix) == IDENTITY))


def _nothing(element: ForeignElement, made: Translation) -> dict[str, Any]:
    # A monitor by class, or by the mark that Matlab's middle layer puts on markers that are monitors.
    _place(element, made, 0.0)
    made.monitor = element.kind == "Monitor" or "GCR" in element.attributes
    return {"type": "monitor" if made.monitor else "marker"}


def _drift(element: ForeignElement, made: Translation) -> dict[str, Any]:
    # Free space is the same wherever it is put, but not when turned or moved differently at its ends.
    _place(element, made, 0.0)
    made.monitor = element.kind == "Monitor"
    return {"type": "monitor" if made.monitor else "drift", "length": element.length}


def _cavity(element: ForeignElement, made: Translation) -> dict[str, Any]:
    for attribute in ("TimeLag", "PhaseLag"):
        if element.number(attribute) != 0.0:
            why = "not kept; the phase follows from the energy loss"
            made.findings.append(element.finding(attribute, why, changes_beam=False))
    _place(element, made, 0.0)
    frequency = element.number("Frequency")
    return {
        "type": "cavity",
        "length": element.length,
        "frequency": frequency if np.isfinite(frequency) else 0.0,
        "voltage": element.number("Voltage"),
        "harmonic_number": max(round(element.number("HarmNumber")), 0),
    }


def _steerer(element: ForeignElement, made: Translation) -> dict[str, Any]:
    _scaling(element, made)
    rest = _kicks(element) | _place(element, made, 0.0)
    return {"type": "corrector", "length": element.length} | rest


def _thin(element: ForeignElement, made: Translation) -> dict[str, Any] | None:
    if element.length > 0.0:
        made.findings.append(element.finding("Length", f"{element.length:g} m in a thin magnet"))
        return None
    if any(element.numbers("BendingAngle")):
        made.findings.append(element.finding("BendingAngle", "a thin magnet that bends"))
    _scaling(element, made)
    a, b = _coefficients(element, made)
    rest = _kicks(element) | _place(element, made, 0.0)
    return _named(element, a, b, by_kind=True) | {"length": 0.0} | rest


def _straight(element: ForeignElement, made: Translation) -> dict[str, Any] | None:
    if element.length == 0.0:
        return _without_length(element, made)
    a, b = _body(element, made)
    rest: dict[str, Any] = {"length": element.length}
    rest |= _slices(element) | _kicks(element) | _place(element, made, 0.0)
    return _named(element, a, b) | rest


def _named(element: ForeignElement, a: Sequence[float], b: Sequence[float], *, by_kind: bool = False) -> dict[str, Any]:
    """Type and strength of a straight magnet: named for its one field, or else (`by_kind`) only for its class there."""
    for kind, key, order in (("quadrupole", "k1", 1), ("sextupole", "b3", 2), ("octupole", "b4", 3)):
        others = [*a, *b[:order], *b[order + 1 :]]
        named = element.kind.lower() == kind
        if not any(others) and (named or (b[order] != 0.0 and not by_kind)):
            return {"type": kind, key: b[order]}
    return {"type": "multipole", "a": a, "b": b}


def _without_length(element: ForeignElement, made: Translation) -> dict[str, Any] | None:
    """A marker for a thick magnet of no length: the toolbox multiplies its fields by 0."""
    kicks = [attribute for attribute in ("KickAngle",) if any(element.numbers(attribute))]
    if kicks:
        made.findings.append(element.finding(kicks[0], "a kick in a thick magnet of no length, which is not a number"))
        return None
    if any((*element.numbers("PolynomA"), *element.numbers("PolynomB"))):
        why = "a field over no length, which has no effect"
        made.findings.append(element.finding("PolynomB", why, changes_beam=False))
    return {"type": "marker"}


def _bent(element: ForeignElement, made: Translation) -> dict[str, Any] | None:
    if element.length == 0.0:
        if element.number("BendingAngle") == 0.0:
            return _without_length(element, made)
        made.findings.append(element.finding("Length", "a bend of no length"))
        return None
    a, b = _body(element, made)
    angle = element.number("BendingAngle")
    gap = element.number("FullGap")
    part: dict[str, Any] = {"type": "bend", "length": element.length, "angle": angle}
    fints = {}
    for side, edge, fint, key in (
        ("Entrance", "entrance_angle", "FringeInt1", "fint_entrance"),
        ("Exit", "exit_angle", "FringeInt2", "fint_exit"),
    ):
        part[edge] = element.number(f"{side}Angle")
        fints[key] = element.number(fint)
        form = round(element.number(f"FringeBend{side}", 1.0))
        bare = angle == 0.0 or (part[edge] == 0.0 and gap * fints[key] == 0.0)
        if form == 0:
            fints[key] = 0.0
        elif form != 1 and not bare:
            why = f"form {form} of the edge's dependence on momentum; only form 1 is known here"
            made.findings.append(element.finding(f"FringeBend{side}", why))
    if gap < 0.0 or min(fints.values()) < 0.0:
        made.findings.append(element.finding("FullGap", "a negative gap or field integral"))
        return None
    if gap != 0.0:
        part |= {"gap": gap} | fints
    part |= _slices(element) | _kicks(element) | _place(element, made, angle)
    return part | {"a": a, "b": b}


def _body(element: ForeignElement, made: Translation) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Coefficients of a thick magnet, after its fringes and scalings were looked at."""
    a, b = _coefficients(element, made)
    _scaling(element, made)
    for side in ("Entrance", "Exit"):
        attribute = f"FringeQuad{side}"
        if element.number(attribute) != 0.0 and b[1] != 0.0:
            made.findings.append(element.finding(attribute, "the fringe field of a quadrupole has no kernel"))
    return a, b


def _coefficients(element: ForeignElement, made: Translation) -> tuple[tuple[float, ...], tuple[float, ...]]:
    found = []
    highest = round(element.number("MaxOrder", 99.0))
    for attribute in ("PolynomA", "PolynomB"):
        values = element.numbers(attribute)[: highest + 1]
        beyond = [order for order, value in enumerate(values) if order >= ORDERS and value != 0.0]
        if beyond:
            made.findings.append(element.finding(f"{attribute}[{beyond[0]}] to [{beyond[-1]}]", "beyond the octupole"))
        found.append((*values[:ORDERS], *[0.0] * (ORDERS - len(values))))
    return found[0], found[1]


def _scaling(element: ForeignElement, made: Translation) -> None:
    for attribute in ("Scaling", "FieldScaling"):
        if element.number(attribute, 1.0) != 1.0:
            made.findings.append(element.finding(attribute, "a factor on all fields"))


def _slices(element: ForeignElement) -> dict[str, Any]:
    slices = max(round(element.number("NumIntSteps", float(SLICES))), 1)
    return {} if slices == SLICES else {"slices": slices}


def _kicks(element: ForeignElement) -> dict[str, Any]:
    kicks = dict(zip(("kick_x", "kick_y"), element.numbers("KickAngle"), strict=False))
    return {name: kick for name, kick in kicks.items() if kick != 0.0}


def _place(element: ForeignElement, made: Translation, angle: float) -> dict[str, Any]:
    placing = find_placing(element, angle)
    if placing is None:
        given = ", ".join(sorted(PLACING & element.attributes.keys()))
        why = "not a displacement across the beam and a roll about its centre"
        moved = max(map(abs, (0.0, *element.numbers("T1"), *element.numbers("T2"))))
        if angle != 0.0 and moved < 1e-12:
            why = "a bend out of the plane has no kernel: the reference turns with it (an error would have T1 and T2)"
        made.findings.append(element.finding(given, why))
        return {}
    return {name: value for name, value in placing.items() if value != 0.0}


BUILDERS: Mapping[str, Callable[[ForeignElement, Translation], dict[str, Any] | None]] = {
    STRAIGHT: _straight,
    BENT: _bent,
    THIN: _thin,
    STEERER: _steerer,
    EMPTY: _drift,
    NOTHING: _nothing,
    CAVITY: _cavity,
}


def driven(part: Mapping[str, Any], element: ForeignElement) -> Iterator[str]:
    """The properties of a part that a supply of its own should drive."""
    main = {"quadrupole": "k1", "sextupole": "b3", "octupole": "b4"}.get(part["type"])
    if main is not None:
        yield main
    if "KickAngle" in element.attributes or part["type"] == "corrector":
        yield from ("kick_x", "kick_y")
