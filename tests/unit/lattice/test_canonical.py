"""A machine is its content: the order of the keys in a file means nothing, but that of its optics does."""

import json
import random
from typing import Any

import pytest

from gnomon.db import shipped_document, shipped_machines
from gnomon.lattice import Ring, parse_machine
from unit.lattice.small_ring import DOCUMENT

OPTICS: dict[str, dict[str, float]] = {"low": {"QF": 1.1, "QD": -1.0}, "high": {"QD": -1.3, "QF": 1.3}}


def shuffled(value: Any, rng: random.Random, *, keep: tuple[str, ...] = ()) -> Any:
    """The same JSON with the keys of every object in another order; those of `keep` stay in theirs."""
    if isinstance(value, list):
        return [shuffled(v, rng, keep=keep) for v in value]
    if not isinstance(value, dict):
        return value
    items = [(k, _inner(v, rng, keep) if k in keep else shuffled(v, rng, keep=keep)) for k, v in value.items()]
    rng.shuffle(items)
    return dict(items)


def _inner(value: dict[str, Any], rng: random.Random, keep: tuple[str, ...]) -> dict[str, Any]:
    return {k: shuffled(v, rng, keep=keep) for k, v in value.items()}


def ring(document: dict[str, Any]) -> Ring:
    return Ring(parse_machine(json.dumps(document), "test"))


@pytest.mark.parametrize("name", shipped_machines())
def test_a_shipped_machine_is_the_same_whatever_the_order_of_its_keys(name: str) -> None:
    known = shipped_document(name)
    document = json.loads(known.model_dump_json(by_alias=True))
    other = ring(shuffled(document, random.Random(1), keep=("optics",)))
    assert other.digest == Ring(known).digest
    assert other.nominal.id == Ring(known).nominal.id


def test_the_order_of_the_optics_is_content_since_they_are_numbered_by_it() -> None:
    one = ring(DOCUMENT | {"optics": OPTICS})
    other = ring(DOCUMENT | {"optics": dict(reversed(OPTICS.items()))})
    assert one.digest != other.digest
    inner = {name: dict(reversed(strengths.items())) for name, strengths in OPTICS.items()}
    assert ring(DOCUMENT | {"optics": inner}).digest == one.digest


def test_the_digest_of_a_fixed_document_is_pinned() -> None:
    """Journals and snapshots of earlier versions name it."""
    assert ring(DOCUMENT).digest == "1bc9de02be2ef2537c5ba29ae0d769ec"
