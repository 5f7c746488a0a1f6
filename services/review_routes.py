"""Routes of reviews: named recordings, their predicted effects and approvals, which can only be read."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import HTMLResponse

from gnomon.clients.reading import jsonable
from gnomon.recorder.recordings import review_document, review_page
from gnomon.services.calculations import Calculations
from gnomon.services.reviewed_recordings import find_recording, recording_lines, review_of
from gnomon.services.route_parts import ALWAYS, needs, problems
from gnomon.services.service_documents import NamedRecordings
from gnomon.services.service_settings import ServiceSettings

RecordingPath = Annotated[str, Path(max_length=100, description="name of a recording, or its id")]


def review_router(settings: ServiceSettings, calculations: Calculations) -> APIRouter:
    """Make the routes of reviews."""
    read = [Depends(needs(settings.tokens, "read"))]
    router = APIRouter(prefix="/v1/reviews", tags=["reviews"], responses=problems(*ALWAYS, 409))
    config = settings.config

    @router.get("", dependencies=read)
    async def list_reviews(
        first: Annotated[int, Query(ge=0, le=10**9, description="number of newer ones that are left out")] = 0,
        count: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> NamedRecordings:
        """List named recordings with their approvals, the newest first."""
        lines = await calculations.run("listing recordings", lambda: recording_lines(config))
        return NamedRecordings(recordings=lines[first : first + count], total=len(lines))

    @router.get("/{name}", dependencies=read, responses=problems(404))
    async def read_review(name: RecordingPath) -> dict[str, Any]:
        """Review a recording: each write with its predicted effect, the total, marks at what is unusual, approvals."""

        def make() -> Any:
            found = review_of(config, name)
            return jsonable(review_document(found.review, found.file))

        document: dict[str, Any] = await calculations.run("reviewing a recording", make)
        return document

    @router.get("/{name}/recording", dependencies=read, responses=problems(404))
    async def read_named_recording(name: RecordingPath) -> dict[str, Any]:
        """Return a recording with its approvals, as `gnomon record export` writes it (gnomon.recording_file/1)."""

        def make() -> dict[str, Any]:
            return find_recording(config, name).model_dump(by_alias=True, mode="json")

        return await calculations.run("reading a recording", make)

    @router.get(
        "/{name}/page",
        dependencies=read,
        response_class=HTMLResponse,
        responses=problems(404),
    )
    async def read_review_page(name: RecordingPath) -> HTMLResponse:
        """Return the review as one HTML page with pictures."""

        def make() -> str:
            found = review_of(config, name)
            return review_page(found.review, found.file)

        return HTMLResponse(await calculations.run("drawing a review", make))

    return router
