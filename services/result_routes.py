"""Routes of results: stored runs of procedures, which can only be read."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query

from gnomon.lattice.text import shorten
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.results import Results
from gnomon.services.calculations import Calculations
from gnomon.services.problems import ProblemError
from gnomon.services.route_parts import ALWAYS, needs, problems
from gnomon.services.service_documents import ResultLine, ResultList
from gnomon.services.service_settings import ServiceSettings


def result_router(settings: ServiceSettings, calculations: Calculations) -> APIRouter:
    """Make the routes of results."""
    read = [Depends(needs(settings.tokens, "read"))]
    router = APIRouter(prefix="/v1/results", tags=["results"], responses=problems(*ALWAYS))
    results = Results(settings.results)

    @router.get("", dependencies=read)
    async def list_results(
        first: Annotated[int, Query(ge=0, le=10**9, description="number of newer ones that are left out")] = 0,
        count: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> ResultList:
        """List stored runs of measurements and corrections, the newest first."""
        return await calculations.run("listing results", lambda: _lines(results, first, count))

    @router.get("/{name}", dependencies=read, responses=problems(404))
    async def read_result(name: Annotated[str, Path(max_length=200)]) -> dict[str, Any]:
        """Return a run: raw data, parameters, outcome and provenance (schema gnomon.procedure/1)."""
        return await calculations.run("reading a result", lambda: _document(results, name))

    return router


def _lines(results: Results, first: int, count: int) -> ResultList:
    names = results.names()[::-1]
    lines = []
    for name in names[first : first + count]:
        try:
            run, identifier = results.head(name)
        except ProcedureError:
            continue
        told = run.provenance
        lines.append(
            ResultLine(
                id=str(identifier),
                name=run.name,
                procedure=run.procedure,
                status=run.status,
                machine=told.machine,
                prefix=told.prefix,
                lattice=told.lattice_id,
                started=told.started,
                note=run.note,
            )
        )
    return ResultList(results=lines, total=len(names))


def _document(results: Results, name: str) -> dict[str, Any]:
    if name not in results.names():
        raise ProblemError(404, f"there is no result {shorten(name)}", field="name", action="GET /v1/results lists all")
    document: dict[str, Any] = results.read(name).model_dump(mode="json", by_alias=True)
    return document
