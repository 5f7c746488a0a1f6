"""Rules about what may be removed, as a pure function of the catalogue, and the removal itself, with a record of it."""

import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gnomon.ioc.base.config import Config, RetentionRule
from gnomon.lattice import GnomonError
from gnomon.lattice.identifiers import parse_identifier
from gnomon.recorder.recordings import RecordingFolder
from gnomon.services.catalogue.annotations import annotation_file
from gnomon.services.catalogue.catalogue import REMOVED, Catalogue
from gnomon.services.catalogue.catalogue_entry import CatalogueEntry, CatalogueError
from gnomon.services.catalogue.catalogue_places import CataloguePlaces

__all__ = ["Kept", "Removal", "doubt_of_clock", "plan_removals", "protected_entries", "remove"]

DAY_US = 86_400_000_000
MEGABYTE = 1_000_000
#: Age of the newest entry from which on the clock is doubted [days]: longer than a shutdown, shorter than a wrong year.
MAX_QUIET_DAYS = 120.0


@dataclass(frozen=True, slots=True)
class Removal:
    """Something that goes, and the rule by which it does."""

    entry: CatalogueEntry
    reason: str


@dataclass(frozen=True, slots=True)
class Kept:
    """Something that a rule would remove, and the reason why it stays."""

    entry: CatalogueEntry
    reason: str


def plan_removals(
    entries: Iterable[CatalogueEntry], rules: Sequence[RetentionRule], protected: Mapping[str, str], now_us: int
) -> tuple[list[Removal], list[Kept]]:
    """Decide what goes by the rules, and what stays although a rule would remove it; the oldest first.

    `protected` has reasons by identifier. What is kept also protects what it was made from.
    """
    known = list(entries)
    going: dict[str, Removal] = {}
    kept: dict[str, Kept] = {}
    for rule in rules:
        for removal in _by_rule(known, rule, now_us):
            going.setdefault(removal.entry.file, removal)
    for file, removal in list(going.items()):
        if (reason := protected.get(removal.entry.identifier)) is not None:
            kept[file] = Kept(going.pop(file).entry, reason)
    while used := _used(known, going):
        for file, user in used.items():
            kept[file] = Kept(going.pop(file).entry, f"{user} was made from it")
    return list(going.values()), list(kept.values())


def doubt_of_clock(entries: Iterable[CatalogueEntry], now_us: int) -> str:
    """Say why the clock may be wrong: nothing that was made until now is new. Empty if something is.

    What was made later than now does not count: it would hide each later jump of the clock.
    """
    newest = max((entry.made_us for entry in entries if 0 < entry.made_us <= now_us + DAY_US), default=0)
    days = (now_us - newest) / DAY_US
    if not newest or days <= MAX_QUIET_DAYS:
        return ""
    now, then = (f"{datetime.fromtimestamp(each / 1e6, UTC):%Y-%m-%d}" for each in (now_us, newest))
    return f"this computer's clock shows {now}, but the newest of all data are of {then}, {days:.0f} days before"


def _by_rule(known: Sequence[CatalogueEntry], rule: RetentionRule, now_us: int) -> list[Removal]:
    of_rule = [e for e in known if e.kind == rule.kind and (not rule.procedures or e.procedure in rule.procedures)]
    newest_first = sorted(of_rule, key=lambda entry: (entry.made_us, entry.name), reverse=True)
    found: list[Removal] = []
    counts: dict[tuple[str, str], int] = {}
    total = 0
    for entry in newest_first:
        group = (entry.machine, entry.procedure)
        counts[group] = counts.get(group, 0) + 1
        total += entry.size
        if counts[group] <= rule.newest:
            continue
        days = (now_us - entry.made_us) / DAY_US
        if rule.days is not None and entry.made_us and days > rule.days:
            found.append(Removal(entry, f"{days:.0f} days old, more than {rule.days:g}"))
        elif rule.megabytes is not None and total > rule.megabytes * MEGABYTE:
            found.append(
                Removal(entry, f"newer ones and it have {total / MEGABYTE:.1f} MB, more than {rule.megabytes:g}")
            )
    return found[::-1]


def _used(known: Sequence[CatalogueEntry], going: Mapping[str, Removal]) -> dict[str, str]:
    """Find what is to go although something that stays was made from it: its file, and the name of that."""
    sources: dict[str, str] = {}
    for entry in known:
        if entry.file not in going or entry.kind == "snapshot":
            sources |= dict.fromkeys(entry.sources, entry.name)
    found = {}
    for file, removal in going.items():
        user = sources.get(removal.entry.identifier) or sources.get(removal.entry.name)
        if user is not None:
            found[file] = user
    return found


def protected_entries(catalogue: Catalogue) -> dict[str, str]:
    """Collect what must stay whatever the rules are, with reasons: what is tagged, published, approved or in use."""
    places = catalogue.places
    found: dict[str, str] = {}
    approved = _approved(places)
    for entry in catalogue.entries():
        if entry.doi:
            found[entry.identifier] = f"it has the DOI {entry.doi}"
        elif entry.tags:
            found[entry.identifier] = f"it has the tag {entry.tags[0]}"
        elif entry.identifier in approved:
            found[entry.identifier] = "it has been approved"
        elif entry.kind == "calibration" and _in_use(entry, places.config):
            found[entry.identifier] = "the configuration names it"
    for each in catalogue.unread():  # what cannot be read may say that something must stay
        identifier = parse_identifier(Path(each.file).stem.replace("-", "/", 1))
        if identifier is not None and annotation_file(places.results, identifier) == Path(each.file):
            found[str(identifier)] = f"{each.file} cannot be read"
    return found


def _approved(places: CataloguePlaces) -> set[str]:
    """Find the recordings with approvals; if some cannot be read, none of them goes."""
    try:
        files = RecordingFolder(places.recordings).all()
    except GnomonError as error:
        raise CatalogueError(f"approvals cannot be read, so that nothing is removed: {error}") from error
    return {f"gnomon:recording/{file.recording.id}" for file in files if file.approvals}


def _in_use(entry: CatalogueEntry, config: Config) -> bool:
    named = config.shadow.calibration
    return named is not None and entry.name.startswith(named)


def remove(places: CataloguePlaces, removals: Sequence[Removal], by: str) -> int:
    """Remove files, each after a line in `removed.jsonl` that says so; returns the bytes. Raises CatalogueError."""
    folders = {places.results, places.studies, places.recordings, places.calibrations}
    freed = 0
    for removal in removals:
        entry, path = removal.entry, Path(removal.entry.file)
        if path.parent not in folders:
            raise CatalogueError(f"{path} is not in a folder of the catalogue; nothing more was removed")
        line = {
            "identifier": entry.identifier, "name": entry.name, "kind": entry.kind, "time": _now(), "by": by,
            "reason": removal.reason, "size": entry.size,
        }  # fmt: skip
        try:
            with (places.results / REMOVED).open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
                file.flush()
                os.fsync(file.fileno())
            path.unlink(missing_ok=True)
        except OSError as error:
            raise CatalogueError(f"{path}: cannot be removed: {error}; nothing more was removed") from error
        freed += entry.size
    return freed


def _now() -> str:
    return datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds")
