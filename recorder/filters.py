"""A selection of recorded commands, as a condition in SQL."""

from dataclasses import dataclass
from typing import Any

from gnomon.lattice import Outcome


@dataclass(frozen=True, slots=True)
class Filter:
    """A selection of commands; fields that are None do not restrict it.

    `since_ns`, `until_ns` are wall times, `first`, `last` sequence numbers, all inclusive. `pv` is a pattern with
    `*`, `?` and `[...]` for any PV or device of a command; `client` one for its user, its host or `user@host`.
    `outcome` is that of the last outcome; `changed` selects commands that changed a setting.
    """

    since_ns: int | None = None
    until_ns: int | None = None
    first: int | None = None
    last: int | None = None
    pv: str | None = None
    client: str | None = None
    outcome: Outcome | None = None
    changed: bool = False

    def where(self) -> tuple[str, list[Any]]:
        """Make the condition in SQL, with its values."""
        terms: list[tuple[str, list[Any]]] = [("1", [])]
        for term, value in (
            ("wall_ns >= ?", self.since_ns),
            ("wall_ns <= ?", self.until_ns),
            ("sequence >= ?", self.first),
            ("sequence <= ?", self.last),
        ):
            if value is not None:
                terms.append((term, [value]))
        if self.pv is not None:
            changed = "SELECT 1 FROM change WHERE change.sequence = command.sequence"
            terms.append((f"EXISTS ({changed} AND (pv GLOB ? OR device GLOB ?))", [self.pv] * 2))
        if self.client is not None:
            terms.append(("(user GLOB ? OR host GLOB ? OR user || '@' || host GLOB ?)", [self.client] * 3))
        if self.outcome is not None:
            newest = "(SELECT outcome FROM outcome WHERE sequence = command.sequence ORDER BY id DESC LIMIT 1)"
            terms.append((f"{newest} = ?", [self.outcome.value]))
        if self.changed:
            done = "SELECT 1 FROM outcome JOIN effect ON effect.outcome = outcome.id"
            terms.append(
                (f"EXISTS ({done} WHERE outcome.sequence = command.sequence AND setting_done <> setting_old)", [])
            )
        return " AND ".join(term for term, _ in terms), [value for _, values in terms for value in values]


EVERYTHING = Filter()
CHANGED = Filter(changed=True)
