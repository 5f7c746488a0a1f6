"""Identifiers follow from content, and are read as people write them."""

import pytest

from gnomon.lattice.identifiers import Identifier, content_digest, parse_identifier

DIGITS = "0123456789abcdef" * 4


def test_an_identifier_is_read_as_it_is_written_and_by_its_beginning() -> None:
    whole = Identifier("result", DIGITS)
    assert parse_identifier(str(whole)) == whole
    for text in (whole.short, f"gnomon:{whole.short}", DIGITS[:6], "gnomon:012345"):
        found = parse_identifier(text)
        assert found is not None
        assert found.fits(whole)
    assert not Identifier("study", DIGITS[:8]).fits(whole)


@pytest.mark.parametrize(
    "text", ["orm", "01234", "orm-20261127T101502.123", "gnomon:orm/0123456", "0123456/result", ""]
)
def test_a_name_is_not_an_identifier(text: str) -> None:
    assert parse_identifier(text) is None


def test_equal_content_has_equal_digests_whatever_the_order_of_its_keys() -> None:
    assert content_digest({"a": 1.0, "b": [2.5]}) == content_digest({"b": [2.5], "a": 1.0})
    assert content_digest({"a": 1.0}) != content_digest({"a": 1.0000000000000002})
    with pytest.raises(ValueError, match="JSON"):
        content_digest({"a": float("nan")})
