"""Routes of snapshots: list, take, show, compare, restore, delete."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query

from gnomon.clients.epics_client import EpicsClient
from gnomon.clients.journal_choice import ServedJournal
from gnomon.clients.recorded_commands import WayBack
from gnomon.clients.running_snapshots import compare_snapshots, present_state, snapshot_document
from gnomon.ioc.base import snapshot_store as store
from gnomon.ioc.base.snapshot_store import SnapshotError, StoredSnapshot
from gnomon.recorder.snapshots import assignments
from gnomon.services.problems import ProblemError
from gnomon.services.recording_routes import take_back
from gnomon.services.route_parts import ALWAYS, needs, problems
from gnomon.services.running_documents import (
    NewSnapshot,
    SnapshotAnswer,
    SnapshotDifferences,
    SnapshotLine,
    SnapshotList,
    SnapshotRestoreRequest,
    WayBackAnswer,
)
from gnomon.services.service_settings import ServiceSettings
from gnomon.services.twin_access import ChosenServer, TwinAccess

SnapshotPath = Annotated[str, Path(max_length=100, description="name of a snapshot")]
Revision = Annotated[int | None, Query(ge=1, le=2**53, description="default: the newest")]


def snapshot_router(settings: ServiceSettings, twins: TwinAccess) -> APIRouter:
    """Make the routes of snapshots."""
    read = [Depends(needs(settings.tokens, "read"))]
    write = [Depends(needs(settings.tokens, "full"))]
    router = APIRouter(prefix="/v1/snapshots", tags=["snapshots"], responses=problems(*ALWAYS))
    config = settings.config

    @router.get("", dependencies=read)
    async def list_snapshots(
        first: Annotated[int, Query(ge=0, le=10**9, description="number of snapshots that are left out")] = 0,
        count: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> SnapshotList:
        """List snapshots by name."""
        known = await twins.run("listing snapshots", lambda: store.list_snapshots(config))
        return SnapshotList(snapshots=[_line(kept) for kept in known[first : first + count]], total=len(known))

    @router.post("", status_code=201, dependencies=write, responses=problems(403, 404, 409))
    async def take_snapshot(chosen: ChosenServer, new: NewSnapshot) -> SnapshotLine:
        """Keep the present settings of a running server under a name."""

        def take(_: EpicsClient, served: ServedJournal) -> StoredSnapshot:
            snapshot = store.snapshot_of(present_state(config, served), new.comment)
            try:
                return store.save(config, new.name, snapshot, replace=new.replace)
            except SnapshotError as error:
                taken = "already exists" in str(error)
                action = "set `replace`, or use another name" if taken else "use another name"
                text = str(error).partition("; save")[0]
                raise ProblemError(409 if taken else 422, text, field="name", action=action) from error

        return _line(await twins.with_journal("taking a snapshot", chosen, take))

    @router.get("/{name}", dependencies=read, responses=problems(404))
    async def read_snapshot(name: SnapshotPath, revision: Revision = None) -> SnapshotAnswer:
        """Return a snapshot with all its settings."""
        kept = await twins.run("reading a snapshot", lambda: _find(settings, name, revision))
        entries = [entry.model_dump() for entry in kept.snapshot.entries]
        return SnapshotAnswer.model_validate(_line(kept).model_dump() | {"entries": entries})

    @router.get("/{name}/differences", dependencies=read, responses=problems(404, 409))
    async def compare_snapshot(
        chosen: ChosenServer,
        name: SnapshotPath,
        other: Annotated[
            str | None, Query(max_length=100, description="another snapshot; default: the running server")
        ] = None,
        tolerance: Annotated[
            list[Annotated[str, Query(max_length=200)]],
            Query(max_length=50, description="count as equal within VALUE, VALUE% or PATTERN=VALUE; repeat it"),
        ] = [],  # noqa: B006 - FastAPI copies it
    ) -> SnapshotDifferences:
        """Compare a snapshot with another one, or with the running server."""

        def with_running(_: EpicsClient, served: ServedJournal) -> Any:
            kept = _find(settings, name).snapshot
            now = store.snapshot_of(present_state(config, served), "")
            return compare_snapshots(kept, now, (name, "now"), tolerance)

        def with_other() -> Any:
            kept = _find(settings, name).snapshot
            return compare_snapshots(kept, _find(settings, str(other)).snapshot, (name, str(other)), tolerance)

        if other is None:
            found = await twins.with_journal("comparing a snapshot", chosen, with_running)
        else:
            found = await twins.run("comparing snapshots", with_other)
        rows = [dict(zip(("pv", "first", "second", "unit"), row, strict=True)) for row in found]
        return SnapshotDifferences.model_validate({"differences": rows})

    @router.post("/{name}/restore", dependencies=write, responses=problems(403, 404, 409))
    async def restore_snapshot(
        chosen: ChosenServer, name: SnapshotPath, asked: SnapshotRestoreRequest
    ) -> WayBackAnswer:
        """Restore a snapshot on a running server by one command; with `dry_run`, the default, only say what differs."""

        def restore(client: EpicsClient, served: ServedJournal) -> WayBackAnswer:
            snapshot = _find(settings, name, asked.revision).snapshot
            now = present_state(config, served)
            way = WayBack(now.run, f"snapshot restore {name}", assignments(snapshot, now.lattice))
            return take_back(client, way, dry_run=asked.dry_run)

        return await twins.with_journal("restoring a snapshot", chosen, restore)

    @router.delete("/{name}", dependencies=write, responses=problems(403, 404))
    async def delete_snapshot(name: SnapshotPath) -> SnapshotLine:
        """Delete a snapshot; its revisions stay, and can still be read."""

        def delete() -> StoredSnapshot:
            _find(settings, name)
            return store.delete(config, name)

        return _line(await twins.run("deleting a snapshot", delete))

    return router


def _find(settings: ServiceSettings, name: str, revision: int | None = None) -> StoredSnapshot:
    """Find a snapshot. Raises ProblemError (404)."""
    try:
        return store.find(settings.config, name, revision)
    except SnapshotError as error:
        raise ProblemError(404, str(error), field="name", action="GET /v1/snapshots lists all") from error


def _line(kept: StoredSnapshot) -> SnapshotLine:
    told = snapshot_document(kept, with_entries=False)
    return SnapshotLine.model_validate(told | told["signed"])
