"""Routes of recordings: the commands of a running server, as a list, one by one and as they come; undo and restore."""

import math
import threading
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query
from fastapi.responses import StreamingResponse

from gnomon.clients.epics_client import EpicsClient
from gnomon.clients.journal_choice import ServedJournal
from gnomon.clients.points_in_time import parse_moment
from gnomon.clients.recorded_commands import (
    WayBack,
    command_document,
    commands_to_undo,
    compare_settings,
    page_document,
    plan_restore,
    plan_undo,
    read_page,
)
from gnomon.ioc.base.machines import recorded_ring
from gnomon.lattice import GnomonError, Outcome
from gnomon.recorder import Filter, Reader, ReviewError
from gnomon.recorder.export import documents
from gnomon.services.event_stream import STREAM, Event, EventStreams, Give, events_of_thread
from gnomon.services.problems import ProblemError
from gnomon.services.route_parts import ALWAYS, needs, problems
from gnomon.services.running_documents import (
    MAX_COMMANDS,
    OutcomeName,
    RecordedCommand,
    Recordings,
    RestoreRequest,
    SettingsDifferences,
    UndoRequest,
    WayBackAnswer,
)
from gnomon.services.service_settings import ServiceSettings
from gnomon.services.twin_access import ChosenServer, TwinAccess


def _which(
    pv: Annotated[str | None, Query(max_length=200, description="pattern of PVs or devices")] = None,
    client: Annotated[str | None, Query(max_length=200, description="pattern of user, host, or user@host")] = None,
    since: Annotated[str | None, Query(max_length=50, description="an age (90s, 10m, 2h, 3d) or an ISO time")] = None,
    until: Annotated[str | None, Query(max_length=50, description="an age or an ISO time")] = None,
    outcome: Annotated[OutcomeName | None, Query(description="last outcome of the command")] = None,
    first: Annotated[int | None, Query(ge=1, le=2**53, description="from this number on")] = None,
    last: Annotated[int | None, Query(ge=0, le=2**53, description="up to this number")] = None,
) -> Filter:
    return Filter(
        since_ns=_moment(since, "since"),
        until_ns=_moment(until, "until"),
        first=first,
        last=last,
        pv=pv,
        client=client,
        outcome=None if outcome is None else Outcome(outcome),
    )


#: Parameter of a route: the filter of commands, as query parameters.
Which = Annotated[Filter, Depends(_which)]


def recording_router(settings: ServiceSettings, twins: TwinAccess, streams: EventStreams) -> APIRouter:
    """Make the routes of recordings."""
    read = [Depends(needs(settings.tokens, "read"))]
    write = [Depends(needs(settings.tokens, "full"))]
    router = APIRouter(prefix="/v1/recordings", tags=["recordings"], responses=problems(*ALWAYS, 404, 409))
    find_ring, limit_s = partial(recorded_ring, settings.config), settings.limits.asking_s / 2

    @router.get("", dependencies=read)
    async def list_recordings(
        chosen: ChosenServer,
        which: Which,
        count: Annotated[int, Query(ge=1, le=MAX_COMMANDS)] = 100,
        oldest: Annotated[bool, Query(description="begin with the oldest that match, not with the newest")] = False,
    ) -> Recordings:
        """List recorded commands, a page at a time, in the order of their numbers."""

        def ask(_: EpicsClient, served: ServedJournal) -> Recordings:
            with Reader(served.path, limit_s) as reader:
                page = page_document(reader, read_page(reader, which, count, oldest=oldest))
            return Recordings.model_validate(_finite(page))

        return await twins.with_journal("listing commands", chosen, ask)

    @router.get(
        "/events",
        dependencies=read,
        response_class=StreamingResponse,
        responses=STREAM,
    )
    async def follow_recordings(
        chosen: ChosenServer,
        which: Which,
        after: Annotated[
            int | None, Query(ge=0, le=2**53, description="send those after this number first; default: new ones only")
        ] = None,
        last_event_id: Annotated[str | None, Header(max_length=20, pattern=r"^[0-9]{1,16}$")] = None,
    ) -> StreamingResponse:
        """Send commands as they are recorded, as server-sent events.

        Events `command` have the number as their id: after a lost connection, `Last-Event-ID` continues there. Events
        `outcome` have a command again that got a further outcome. The data are those of one recording.
        """
        after = int(last_event_id) if last_event_id is not None else after
        served = await twins.with_journal("following commands", chosen, lambda _, served: served)
        return streams.answer(events_of_thread(lambda give, end: _follow(served, which, after, give, end), "follow"))

    @router.get("/differences", dependencies=read)
    async def compare_recordings(
        chosen: ChosenServer,
        first: Annotated[int, Query(ge=0, le=2**53, description="number of a command; 0: before the first")],
        second: Annotated[
            int | None, Query(ge=0, le=2**53, description="number of a command; default: the present settings")
        ] = None,
    ) -> SettingsDifferences:
        """Compare the settings after two commands, or those after a command with the present ones."""

        def ask(_: EpicsClient, served: ServedJournal) -> SettingsDifferences:
            with Reader(served.path, limit_s) as reader:
                found = compare_settings(reader, first, second, find_ring)[1]
            return SettingsDifferences.model_validate({"differences": [asdict(each) for each in found]})

        return await twins.with_journal("comparing settings", chosen, ask)

    @router.get("/{number:int}", dependencies=read)
    async def read_recording(chosen: ChosenServer, number: Annotated[int, Path(ge=1, le=2**53)]) -> RecordedCommand:
        """Return one command with its outcomes."""

        def ask(_: EpicsClient, served: ServedJournal) -> RecordedCommand:
            with Reader(served.path, limit_s) as reader:
                try:
                    return RecordedCommand.model_validate(_finite(command_document(reader, number)))
                except ReviewError as error:
                    action = "GET /v1/recordings lists commands"
                    raise ProblemError(404, str(error), field="number", action=action) from error

        return await twins.with_journal("reading a command", chosen, ask)

    @router.post("/undo", dependencies=write, responses=problems(403))
    async def undo_recordings(chosen: ChosenServer, asked: UndoRequest) -> WayBackAnswer:
        """Undo commands, newest first, by one new command; with `dry_run`, the default, only say what would be set."""
        if bool(asked.commands) == (asked.last is not None):
            raise ProblemError(422, "give `commands` or `last`", field="commands", action="give one of the two")

        def ask(client: EpicsClient, served: ServedJournal) -> WayBackAnswer:
            with Reader(served.path) as reader:
                entries = commands_to_undo(reader, asked.commands, asked.last)
            way = plan_undo(served.path, entries, find_ring, force=asked.force)
            return take_back(client, way, dry_run=asked.dry_run)

        return await twins.with_journal("undoing commands", chosen, ask)

    @router.post("/restore", dependencies=write, responses=problems(403))
    async def restore_settings(chosen: ChosenServer, asked: RestoreRequest) -> WayBackAnswer:
        """Return to the settings after a command by one new command; with `dry_run`, the default, only say how."""

        def ask(client: EpicsClient, served: ServedJournal) -> WayBackAnswer:
            return take_back(client, plan_restore(served.path, asked.to, find_ring), dry_run=asked.dry_run)

        return await twins.with_journal("restoring settings", chosen, ask)

    return router


def take_back(client: EpicsClient, way: WayBack, *, dry_run: bool) -> WayBackAnswer:
    """Send the settings of a way back as one command, unless it is a dry run or nothing differs."""
    answer = WayBackAnswer.model_validate(way.to_json() | {"sent": False})
    if dry_run or not way.assignments:
        return answer
    made = client.call(
        "dt:set",
        {
            "devices": [each.device for each in way.assignments],
            "properties": [each.setting for each in way.assignments],
            "values": [float(each.value) for each in way.assignments],
            "note": way.note,
        },
    )
    return answer.model_copy(update={"sent": True, "sequence": made["sequence"], "lattice": made["lattice_id"]})


class _LeftError(Exception):
    """Nobody listens any more."""


def _follow(served: ServedJournal, which: Filter, after: int | None, give: Give, ended: threading.Event) -> None:
    """Give commands as they are recorded, until nobody listens."""

    def sleep(seconds: float) -> None:
        if ended.wait(seconds):
            raise _LeftError

    with Reader(served.path) as reader:
        begin = reader.last_sequence() if after is None else after
        try:
            for entry, later in reader.follow(which, after=begin, sleep=sleep):
                data = RecordedCommand.model_validate(_finite(documents([entry], reader.run)[0])).model_dump()
                event = Event(data, "outcome") if later else Event(data, "command", str(entry.sequence))
                if not give(event):
                    return
        except _LeftError:
            return


def _moment(text: str | None, field: str) -> int | None:
    try:
        return None if text is None else parse_moment(text)
    except GnomonError as error:
        action = "give an age, or an ISO time"
        raise ProblemError(422, str(error), field=field, value=text, action=action) from error


def _finite(document: Any) -> Any:
    """Put null for numbers that are not finite, which a command document has as texts."""
    if isinstance(document, Mapping):
        return {key: _finite(value) if key in _WITH_NUMBERS else value for key, value in document.items()}
    if isinstance(document, list):
        return [_finite(each) for each in document]
    if isinstance(document, str):
        return None
    return document if not isinstance(document, float) or math.isfinite(document) else None


#: Keys of a command document under which numbers are that may be texts.
_NUMBERS = ("old", "new", "done", "setting_old", "setting_done")
_WITH_NUMBERS = frozenset((*_NUMBERS, "commands", "changes", "outcomes", "effects"))
