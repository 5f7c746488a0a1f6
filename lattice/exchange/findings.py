"""Findings: what an exchange of lattices could not carry over, said by name: nothing is left out silently."""

from collections.abc import Iterable
from dataclasses import dataclass

from gnomon.lattice._errors import LatticeError


class ExchangeError(LatticeError):
    """A lattice that cannot be read or written as asked: what, where, why and what to do."""


class MissingEnergyError(ExchangeError):
    """A file that does not say the beam energy, which was not given either."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something of an element that has no place on the other side.

    `place` is where the element stands ("line 12", "element 17"). `changes_beam` tells what alters orbit or optics,
    and is refused unless the user allows it, from what is merely listed.
    """

    element: str
    kind: str
    attribute: str
    why: str
    place: str = ""
    changes_beam: bool = True


class RefusedLattice(ExchangeError):
    """A lattice with parts that the other side cannot represent; `findings` has them all, `where` the file."""

    def __init__(self, where: str, findings: Iterable[Finding], advice: str) -> None:
        self.where = where
        self.findings = tuple(f for f in findings if f.changes_beam)
        count = len({(f.element, f.place) for f in self.findings})
        what = "an element" if count == 1 else f"{count} elements"
        super().__init__("\n".join([f"{where}: {what} cannot be represented", *summary(self.findings), advice]))


def summary(findings: Iterable[Finding], names: int | None = None) -> list[str]:
    """Findings as lines, those of one kind, attribute and reason together; at most `names` elements named in each."""
    groups: dict[tuple[str, str, str], dict[str, str]] = {}
    counts: dict[tuple[str, str, str], int] = {}
    for f in findings:
        key = (f.kind, f.attribute, f.why)
        groups.setdefault(key, {}).setdefault(f.element, f.place)
        counts[key] = counts.get(key, 0) + 1
    lines = []
    for key, places in groups.items():
        kind, attribute, why = key
        told = [f"{name} ({place})" if place else name for name, place in places.items()]
        named = ", ".join(told[:names])
        more = f" and {len(told) - names} more names" if names and len(told) > names else ""
        what = " ".join(word for word in (str(counts[key]), kind, attribute) if word)
        lines.append(f"  {what}: {why}" + (f": {named}{more}" if named else ""))
    return lines
