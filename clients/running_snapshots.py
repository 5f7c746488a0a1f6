"""Snapshots of a running server: saved, compared, and the settings that restore one."""

from typing import Any

from gnomon.clients.journal_choice import ServedJournal
from gnomon.ioc.base.config import Config, changed, kept_at
from gnomon.ioc.base.snapshot_store import PresentState, StoredSnapshot, read_present_state
from gnomon.recorder import ReviewError
from gnomon.recorder.snapshots import Snapshot, differences
from gnomon.recorder.tolerances import parse_tolerances

__all__ = ["SettingDifference", "compare_snapshots", "present_state", "snapshot_document"]

#: PV, value in the first and in the second snapshot (None: not in it), unit.
SettingDifference = tuple[str, float | None, float | None, str]


def present_state(config: Config, served: ServedJournal) -> PresentState:
    """Read the present settings of a running server from its journal. Raises GnomonError.

    A user's machine is looked for where the server keeps it, if that is told.
    """
    there = changed(config, {"store": kept_at(served.store)}) if _is_another(config, served.store) else config
    return read_present_state(there, served.path, served.prefix)


def compare_snapshots(
    first: Snapshot, second: Snapshot, names: tuple[str, str], tolerance: list[str] | tuple[str, ...] = ()
) -> tuple[SettingDifference, ...]:
    """Compare two snapshots; of incomplete ones only what both have.

    `tolerance` are texts of `gnomon snapshot diff --tolerance`. Raises ReviewError for different machines.
    """
    if first.machine != second.machine:
        raise ReviewError(
            f"{names[0]} is of machine {first.machine!r}, {names[1]} of {second.machine!r}: they cannot be compared"
        )
    common = not (first.complete and second.complete)
    return differences(first.entries, second.entries, common=common, tolerance=parse_tolerances(tolerance))


def snapshot_document(kept: StoredSnapshot, *, with_entries: bool) -> dict[str, Any]:
    """Make plain data of a snapshot with its name, revision and number of settings."""
    left_out = set() if with_entries else {"entries"}
    data: dict[str, Any] = kept.snapshot.model_dump(mode="json", by_alias=True, exclude=left_out)
    return {"name": kept.name, "revision": kept.revision, "settings": len(kept.snapshot.entries), **data}


def _is_another(config: Config, store: str) -> bool:
    return bool(store) and store != config.store_place().to_text()
