"""Each attribute of each class of MAD-X, at 0, 1 and 1e-3: what acts is read or refused, the rest is idle.

MAD-X tracks a particle off the axis through one element and gives the matrix about its path. An attribute that this
reader lists as idle must leave all of it as it is; one that changes it must be read, or refused when it is not 0.
"""

from collections.abc import Iterator

import numpy as np
import pytest

from gnomon.lattice.exchange.madx.classes import CLASSES, COMMON, NEUTRAL, TEXTS
from unit.lattice.exchange.madx_oracle import MadxSession, needs_madx, session

#: An element in which an attribute could show.
BASES = {
    "drift": "l=1",
    "quadrupole": "l=1, k1=0.3, k1s=0.1",
    "sextupole": "l=1, k2=30, k2s=10",
    "octupole": "l=1, k3=3e3, k3s=1e3",
    "multipole": "knl={0.0, 0.1, 2}, ksl={0, 0.1}",
    "sbend": "l=1, angle=0.2, e1=0.05, e2=0.02, k1=0.1, hgap=0.02, fint=0.4",
    "rbend": "l=1, angle=0.2, e1=0.05, e2=0.02, k1=0.1, hgap=0.02, fint=0.4",
    "kicker": "l=0.1, hkick=1e-3, vkick=2e-3",
    "tkicker": "l=0.1, hkick=1e-3, vkick=2e-3",
    "hkicker": "l=0.1, kick=1e-3",
    "vkicker": "l=0.1, kick=1e-3",
    "nllens": "cnll=1",
}
#: Attributes that are switches.
SWITCHES = {"kill_ent_fringe", "kill_exi_fringe", "thick", "time_var", "true_rbend", "slice_straight", "entrance",
            "no_cavity_totalpath", "spacecharge", "bb_sc", "long_coup_off"}  # fmt: skip


@pytest.fixture(scope="module")
def madx() -> Iterator[MadxSession]:
    with session() as made:
        made.start()
        yield made


def through(madx: MadxSession, kind: str, attributes: str) -> np.ndarray | None:
    """Track a particle off the axis in MAD-X: its end, the length, and the matrix. None when MAD-X refuses."""
    start = "betx=1, bety=1, x=1e-3, px=2e-4, y=-7e-4, py=3e-4, t=1e-4, pt=1e-3"
    element = f"el: {', '.join(filter(None, (kind, attributes)))};"
    text = f"{element} one: line=(el); use, sequence=one; twiss, {start}, rmatrix;"
    if (found := madx.run(text)) is None:
        return None
    table = found.table.twiss
    names = ("s", "x", "px", "y", "py", "t", "pt", *(f"re{i}{j}" for i in range(1, 7) for j in range(1, 7)))
    return np.array([table[name][-1] for name in names])


def written(attribute: str, value: str, default: object) -> str:
    """An attribute with a value of the kind that MAD-X wants."""
    if attribute in SWITCHES or isinstance(default, bool):
        return attribute if value == "1" else f"-{attribute}"
    if attribute in TEXTS or isinstance(default, str):
        return f"{attribute}=circle"
    if hasattr(default, "__len__"):
        return f"{attribute}={{{value}, {value}, {value}}}"
    return f"{attribute}={value}"


@needs_madx
@pytest.mark.parametrize("kind", sorted(set(CLASSES) - {"matrix"}))
def test_attributes_that_are_ignored_have_no_effect_in_madx(
    kind: str, madx: MadxSession, no_process_left_behind: None
) -> None:
    attributes = dict(madx.start().base_types[kind].items())
    assert attributes.keys() - CLASSES[kind].attributes <= {"at", "from", "refer"}, "MAD-X knows more than we do"
    before = through(madx, kind, BASES.get(kind, ""))
    assert before is not None
    known = CLASSES[kind]
    idle = [
        a for a in attributes if a in known.attributes and a not in known.read | known.zero and a not in ("l", "cnll")
    ]
    assert idle
    for value in ("0", "1", "1e-3"):
        # all at once: one process of MAD-X is asked 3 times a class, not a few thousand times
        given = [written(attribute, value, attributes[attribute]) for attribute in idle]
        after = through(madx, kind, ", ".join(filter(None, (BASES.get(kind), *given))))
        assert after is not None, f"{kind}, {given}: MAD-X ends"
        np.testing.assert_allclose(after, before, rtol=0.0, atol=1e-13, err_msg=f"{kind}, {given}")


@needs_madx
def test_attributes_that_must_be_zero_have_an_effect_in_madx(madx: MadxSession, no_process_left_behind: None) -> None:
    acting = 0
    tried = (
        "sbend h1, sbend ktap, rbend h2, solenoid ksi, matrix rm12, xrotation angle, translation dx, multipole angle"
    )
    for kind, attribute in (pair.split() for pair in tried.split(", ")):
        assert attribute in CLASSES[kind].zero
        before = through(madx, kind, BASES.get(kind, ""))
        after = through(madx, kind, ", ".join(filter(None, (BASES.get(kind), f"{attribute}=1e-3"))))
        assert before is not None
        assert after is not None
        acting += bool(np.max(np.abs(after - before)) > 1e-10)
    assert acting == 8


def test_the_table_has_no_attribute_twice() -> None:
    for kind, known in CLASSES.items():
        assert not known.read & known.zero, kind
        assert not known.idle & (known.read | known.zero), kind
    assert NEUTRAL.keys() <= CLASSES["matrix"].zero
    assert not COMMON & {"l", "at"}
