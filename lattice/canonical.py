"""The one spelling of a machine document that its identity is taken of."""

from collections.abc import Iterable, Mapping
from typing import TypeVar, get_args

from gnomon.lattice.document import MachineDocument, Property

K = TypeVar("K", bound=str)
V = TypeVar("V")


def canonical_json(document: MachineDocument) -> str:
    """Return the document as JSON that does not depend on the order in which a file has the keys of its objects.

    Parts have their fields in the schema's order, without those at their default, so that a later version of the
    schema with more options leaves identities as they are. Limits stand in the order of the schema's properties,
    strengths of an optics in that of the magnets, operating values in that of the optics. The order of the optics
    themselves is content: they are numbered by it.
    """
    magnets = [magnet.name for magnet in document.magnets]
    ordered = document.model_copy(
        update={
            "limits": document.limits.model_copy(
                update={"supply": _ordered(document.limits.supply, get_args(Property))}
            ),
            "optics": {name: _ordered(strengths, magnets) for name, strengths in document.optics.items()},
            "operating": _ordered(document.operating, document.optics),
        }
    )
    return ordered.model_dump_json(by_alias=True, exclude_defaults=True)


def _ordered(mapping: Mapping[K, V], order: Iterable[str]) -> dict[K, V]:
    """The mapping by `order`; keys that it does not name follow, sorted."""
    places = {key: place for place, key in enumerate(order)}
    return dict(sorted(mapping.items(), key=lambda item: (places.get(item[0], len(places)), item[0])))
