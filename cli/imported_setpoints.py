"""Setpoints of a file, or of an archiver, as a snapshot: kept, and what could not be taken told."""

from typing import TYPE_CHECKING

from gnomon.cli.output import say

if TYPE_CHECKING:
    from gnomon.ioc.base.config import Config
    from gnomon.ioc.base.machines import LoadedMachine
    from gnomon.recorder.save_files import Saved

#: Exit code of an import of which some lines could not be read.
DONE_IN_PART = 3
#: Number of lines or names of a file that are listed at most.
MAX_LISTED = 50


def keep_imported(
    settings: "Config",
    loaded: "LoadedMachine",
    saved: "Saved",
    source: tuple[str, str],
    *,
    name: str,
    comment: str,
    replace: bool,
) -> bool:
    """Keep the setpoints of a machine that `saved` has, and say which it does not; False if some could not be read.

    `source` is what the snapshot says it is from, and what the user is told. Raises SnapshotError if it has none.
    """
    from gnomon.ioc.base import snapshot_store as store
    from gnomon.ioc.base.machines import pvs_of
    from gnomon.lattice.text import printable
    from gnomon.recorder.snapshots import Snapshot, entries_from

    imported = entries_from(saved, pvs_of(loaded, ""), "", settings.prefix)
    entries, left_out = imported.entries, imported.left_out
    if not entries:
        count = len(saved.given) + len(saved.left)
        if not count and not saved.unread:
            raise store.SnapshotError(
                f"{source[1]}: no value of any PV; check the time, and give the prefix of the PV names with --prefix"
            )
        own = len(imported.unread) - len(saved.unread)
        if own > 0:  # the names are right
            raise store.SnapshotError(
                f"{source[1]}: {own} setpoints of {loaded.document.name!r}, none with a value that can be used, "
                f"for example {_example(imported.unread, saved)}; take values of another time"
            )
        example = next(iter((*imported.unread, *left_out)), "none")
        raise store.SnapshotError(
            f"{source[1]}: none of its {count} PVs is a setpoint of {loaded.document.name!r} with a value, for example "
            f"{printable(example)}; give the prefix of the PV names with --prefix"
        )
    snapshot = Snapshot(
        machine=loaded.document.name,
        digest=loaded.ring.digest,
        prefix=settings.prefix,
        lattice_id="",
        complete=False,
        source=source[0],
        comment=comment or saved.comment,
        signed=store.signature(),
        entries=entries,
    )
    kept = store.save(settings, name, snapshot, replace=replace)
    say(f"{kept.name}: setpoints of {snapshot.machine} from {source[1]}: {len(entries)}, revision {kept.revision}")
    for reason in sorted(set(left_out.values())):
        tell_names(f"not imported ({reason})", [pv for pv, why in left_out.items() if why == reason])
    if imported.unread:
        _tell_unread(imported.unread)
    return not imported.unread


def _example(lines: tuple[str, ...], saved: "Saved") -> str:
    """Return the first line about a PV that has a value or should have one."""
    others = {f"line {line.line}: {line.reason}" for line in saved.unread}
    return next((line for line in lines if line not in others), lines[0])


def tell_names(what: str, names: list[str]) -> None:
    """List names on standard error, at most so many of them; nothing if there are none."""
    if names:
        more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
        say(f"{len(names)} {what}: {', '.join(names[:MAX_LISTED])}{more}", err=True)


def _tell_unread(lines: tuple[str, ...]) -> None:
    say(f"lines that could not be imported: {len(lines)}", err=True)
    for line in lines[:MAX_LISTED]:
        say(f"  {line}", err=True)
    if len(lines) > MAX_LISTED:
        say(f"  and {len(lines) - MAX_LISTED} more", err=True)
