"""pyAT, which is an extra: imported when it is needed, kept quiet, and its rings taken over."""

import contextlib
import importlib
import io
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from gnomon.lattice.exchange.findings import ExchangeError, Finding
from gnomon.lattice.exchange.foreign import (
    MAX_ELEMENTS,
    ForeignElement,
    ForeignRing,
    fundamental,
    with_harmonic_numbers,
)

MISSING = "reading and writing lattices of other programs needs pyAT: pip install 'gnomon[import]'"

Places = Callable[[int, str], str]


def load_toolbox() -> Any:
    """pyAT. Raises ExchangeError that names the extra when it is not installed."""
    try:
        return importlib.import_module("at")
    except ImportError as error:
        raise ExchangeError(MISSING) from error


def from_toolbox(
    ring: Any, places: Places, findings: Sequence[Finding] = (), kinds: Mapping[str, str] | None = None
) -> ForeignRing:
    """A ring of pyAT with all its periods; `kinds` replaces the class of elements by name."""
    cell = [_foreign(element, places(i, element.FamName), kinds or {}) for i, element in enumerate(ring)]
    periods = int(ring.periodicity)
    if len(cell) * periods > MAX_ELEMENTS:
        raise ExchangeError(f"{periods} periods of {len(cell)} elements; a ring may have at most {MAX_ELEMENTS}")
    rest = float(ring.particle.rest_energy)
    energy = float(ring.energy)
    elements = with_harmonic_numbers(cell * periods, energy if math.isfinite(energy) else None, max(rest, 0.0))
    return ForeignRing(
        name=str(ring.name or ""),
        elements=elements,
        energy_ev=energy if math.isfinite(energy) else None,
        rest_energy_ev=rest if rest > 0.0 else None,
        harmonic_number=_harmonic_number(ring) or fundamental(elements),
        findings=tuple(findings),
    )


@contextlib.contextmanager
def without_warnings() -> Iterator[list[str]]:
    """Collect what foreign readers print and warn of in the list, which is complete when the context ends."""
    messages: list[str] = []
    printed = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(printed):
        warnings.simplefilter("always")

        def keep(message: Warning | str, *_: object, **__: object) -> None:
            messages.append(str(message))

        warnings.showwarning = keep
        yield messages


def _foreign(element: Any, place: str, kinds: Mapping[str, str]) -> ForeignElement:
    attributes = {name: getattr(element, name) for name in vars(element) if not name.startswith("_")}
    return ForeignElement(
        name=str(element.FamName),
        kind=kinds.get(element.FamName, type(element).__name__),
        method=str(element.PassMethod),
        length=float(getattr(element, "Length", 0.0)),
        attributes=attributes,
        place=place,
    )


def _harmonic_number(ring: Any) -> int | None:
    try:
        number = float(ring.harmonic_number)
    except (AttributeError, load_toolbox().AtError):
        return None
    return round(number) if math.isfinite(number) and number > 0.5 else None
