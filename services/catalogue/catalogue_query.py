"""A question to the catalogue, and its words as those of SQLite's full text search."""

from dataclasses import dataclass

__all__ = ["CatalogueQuery"]

#: Largest number of words and of answers.
MAX_WORDS, MAX_COUNT = 20, 10_000


@dataclass(frozen=True, slots=True)
class CatalogueQuery:
    """Words that all occur, as words or beginnings of words; and fields that are equal. Empty ones ask for nothing.

    `since_us` and `until_us` are times [us since 1970], `skip` is the number of newer answers that are left out.
    """

    words: str = ""
    kind: str = ""
    machine: str = ""
    user: str = ""
    tag: str = ""
    proposal: str = ""
    procedure: str = ""
    since_us: int | None = None
    until_us: int | None = None
    count: int = 50
    skip: int = 0

    def match(self) -> str:
        """Return the words and fields as an expression of FTS5; empty if there are none."""
        parts = [f"text : {_phrase(word)} *" for word in self.words.split()[:MAX_WORDS] if _has_letters(word)]
        for column in ("kind", "machine", "user", "tag", "proposal", "procedure"):
            value = getattr(self, column)
            if value and _has_letters(value):
                parts.append(f"{column} : {_phrase(value)}")
        return " AND ".join(parts)

    def conditions(self) -> tuple[str, list[object]]:
        """Return the fields as a condition on the table of entries, and its values."""
        found: list[tuple[str, object]] = [("e.current = ?", 1)]
        found += [(f"e.{name} = ?", getattr(self, name))
                  for name in ("kind", "machine", "user", "proposal", "procedure") if getattr(self, name)]  # fmt: skip
        if self.tag:
            found.append(("instr(e.tags, ?)", f"\n{self.tag}\n"))
        if self.since_us is not None:
            found.append(("e.number >= ?", self.since_us))
        if self.until_us is not None:
            found.append(("e.number <= ?", self.until_us))
        return " AND ".join(text for text, _ in found), [value for _, value in found]


def _phrase(text: str) -> str:
    """Quote a text for FTS5: its pieces must follow each other."""
    return '"' + text.replace('"', " ").replace("\0", " ") + '"'


def _has_letters(text: str) -> bool:
    """Tell whether something of a text is in the index: a phrase of punctuation alone would fit nothing."""
    return any(character.isalnum() for character in text)
