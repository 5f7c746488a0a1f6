"""Routes of data: all that is kept, found by words and fields, and by identifiers."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query

from gnomon.clients.points_in_time import NotATimeError, parse_moment
from gnomon.services.calculations import Calculations
from gnomon.services.catalogue import (
    Catalogue,
    CatalogueEntry,
    CatalogueError,
    CataloguePlaces,
    CatalogueQuery,
    RemovedError,
)
from gnomon.services.problems import ProblemError
from gnomon.services.route_parts import ALWAYS, needs, problems
from gnomon.services.service_documents import FoundData
from gnomon.services.service_settings import ServiceSettings

Kind = Literal["result", "study", "recording", "snapshot", "calibration"]
Text = Annotated[str, Query(max_length=200)]
#: Files that cannot be read, of which an answer has at most so many.
MAX_UNREAD = 100


def data_router(settings: ServiceSettings, calculations: Calculations) -> APIRouter:
    """Make the routes of data."""
    read = [Depends(needs(settings.tokens, "read"))]
    router = APIRouter(prefix="/v1/data", tags=["data"], responses=problems(*ALWAYS))
    places = CataloguePlaces(settings.results, settings.config)

    @router.get("", dependencies=read)
    async def find_data(
        words: Annotated[str, Query(max_length=500, description="words, or their beginnings, which all occur")] = "",
        kind: Annotated[Kind | None, Query()] = None,
        procedure: Text = "",
        machine: Text = "",
        user: Text = "",
        tag: Text = "",
        proposal: Text = "",
        since: Annotated[
            str | None, Query(max_length=50, description="made from then on: an age (10m, 2h, 3d) or an ISO time")
        ] = None,
        until: Annotated[str | None, Query(max_length=50, description="made up to then")] = None,
        first: Annotated[int, Query(ge=0, le=10**6, description="number of newer ones that are left out")] = 0,
        count: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> FoundData:
        """Find results, studies, recordings, snapshots and calibrations, the newest first."""
        query = CatalogueQuery(
            words=words, kind=kind or "", procedure=procedure, machine=machine, user=user, tag=tag, proposal=proposal,
            since_us=_microseconds(since, "since"), until_us=_microseconds(until, "until"), count=count + 1, skip=first,
        )  # fmt: skip
        return await calculations.run("searching", lambda: _find(places, query))

    @router.get("/{kind}/{digits}", dependencies=read, responses=problems(404, 410))
    async def read_data(
        kind: Kind,
        digits: Annotated[
            str, Path(pattern="^[0-9a-f]{6,64}$", description="hexadecimal digits of the identifier, 6 or more")
        ],
    ) -> CatalogueEntry:
        """Tell what an identifier, or the beginning of one, stands for."""
        return await calculations.run("looking for an identifier", lambda: _resolve(places, f"{kind}/{digits}"))

    return router


def _find(places: CataloguePlaces, query: CatalogueQuery) -> FoundData:
    with Catalogue(places) as catalogue:
        found, unread = catalogue.find(query), catalogue.unread()
        return FoundData(
            entries=found[: query.count - 1],
            more=len(found) == query.count,
            unread=unread[:MAX_UNREAD],
            unread_total=len(unread),
        )


def _resolve(places: CataloguePlaces, text: str) -> CatalogueEntry:
    with Catalogue(places) as catalogue:
        try:
            return catalogue.resolve(text)
        except RemovedError as error:
            raise ProblemError(410, str(error), field="digits") from error
        except CatalogueError as error:
            raise ProblemError(404, str(error), field="digits", action="GET /v1/data lists what there is") from error


def _microseconds(text: str | None, field: str) -> int | None:
    """Read a time [us since 1970]. Raises ProblemError."""
    try:
        return None if text is None else parse_moment(text) // 1000
    except NotATimeError as error:
        raise ProblemError(422, str(error), field=field) from error
