"""Routes of lattices: create, list, read, update, propagate, optics, response."""

import json
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Response

from gnomon.clients.epics_client import EpicsClient
from gnomon.clients.journal_choice import ServedJournal
from gnomon.clients.running_snapshots import present_state
from gnomon.db import shipped_document, shipped_machines
from gnomon.lattice import DocumentError, MachineDocument, parse_machine
from gnomon.services import beam_answers
from gnomon.services.calculations import Calculations
from gnomon.services.lattice_store import LatticeStore, Update
from gnomon.services.problems import ProblemError
from gnomon.services.route_parts import ALWAYS, needs, problems
from gnomon.services.service_documents import (
    Lattices,
    LatticeSettings,
    LatticeSummary,
    Machines,
    NewLattice,
    OpticsAnswer,
    PropagateAnswer,
    PropagateRequest,
    ResponseAnswer,
    UpdatedLattice,
    UpdatedLattices,
    UpdatesRequest,
)
from gnomon.services.service_settings import ServiceSettings
from gnomon.services.twin_access import Chosen, TwinAccess

LatticeId = Annotated[str, Path(max_length=200, description="id of a lattice")]


def lattice_router(
    settings: ServiceSettings, store: LatticeStore, calculations: Calculations, twins: TwinAccess
) -> APIRouter:
    """Make the routes of lattices."""
    read = [Depends(needs(settings.tokens, "read"))]
    write = [Depends(needs(settings.tokens, "full"))]
    router = APIRouter(prefix="/v1", tags=["lattices"], responses=problems(*ALWAYS))
    run = calculations.run

    @router.get("/machines", dependencies=read)
    async def list_machines() -> Machines:
        """List the shipped machines."""
        return Machines(machines=list(shipped_machines()))

    @router.post(
        "/lattices",
        status_code=201,
        dependencies=write,
        responses={200: {"model": LatticeSummary, "description": "It was kept already"}, **problems(403, 404, 409)},
    )
    async def create_lattice(new: NewLattice, response: Response) -> LatticeSummary:
        """Make the nominal lattice of a machine document or of a shipped machine, or the one of a running server."""

        def make() -> tuple[LatticeSummary, bool]:
            model, is_new = store.create(_document(new))
            return beam_answers.summary(model), is_new

        def keep(_: EpicsClient, served: ServedJournal) -> tuple[LatticeSummary, bool]:
            model, is_new = store.keep(present_state(settings.config, served).lattice)
            return beam_answers.summary(model), is_new

        _check_one(new)
        if new.running is None:
            made, is_new = await run("creating a lattice", make)
        else:
            made, is_new = await twins.with_journal("reading a lattice", Chosen(new.running, None), keep)
        response.status_code = 201 if is_new else 200
        response.headers["Location"] = f"/v1/lattices/{made.id}"
        return made

    @router.get("/lattices", dependencies=read)
    async def list_lattices() -> Lattices:
        """List the lattices that are kept, the most recently used first."""
        lattices = [beam_answers.summary(model) for model in store.all()]
        return Lattices(lattices=lattices, max_lattices=store.max_lattices, max_machines=store.max_rings)

    @router.post("/updates", dependencies=write, responses=problems(403, 404, 410))
    async def update_lattices(asked: UpdatesRequest) -> UpdatedLattices:
        """Make new lattices with new values; the old ones stay. Equal content has an equal id."""
        updates = [Update(**each.model_dump()) for each in asked.updates]
        made = await run("updating lattices", partial(store.update, updates))
        return UpdatedLattices(
            updated=[UpdatedLattice(base=base, lattice=beam_answers.summary(model)) for base, model in made]
        )

    @router.get("/lattices/{lattice}", dependencies=read, responses=problems(404, 410))
    async def read_lattice(lattice: LatticeId) -> LatticeSummary:
        """Describe a lattice."""
        return beam_answers.summary(store.get(lattice))

    @router.get("/lattices/{lattice}/settings", dependencies=read, responses=problems(404, 410))
    async def read_settings(
        lattice: LatticeId,
        device: Annotated[str, Query(max_length=200, description="pattern of device names, such as HS*")] = "*",
    ) -> LatticeSettings:
        """List values of a lattice with unit, limits and nominal value."""
        model = store.get(lattice)
        return await run("listing settings", partial(beam_answers.settings, model, device))

    @router.get("/lattices/{lattice}/document", dependencies=read, responses=problems(404, 410))
    async def read_document(lattice: LatticeId) -> dict[str, Any]:
        """Return the machine document of a lattice; its values are in the settings."""
        document: dict[str, Any] = store.get(lattice).lattice.ring.document.model_dump(mode="json", by_alias=True)
        return document

    @router.post("/lattices/{lattice}/propagate", dependencies=read, responses=problems(404, 410))
    async def propagate(lattice: LatticeId, asked: PropagateRequest) -> PropagateAnswer:
        """Carry particles around the ring, and observe the beam. Changes nothing; the read-only token may ask."""
        model = store.get(lattice)
        limit_s = settings.limits.calculation_s
        return await run("propagating", partial(beam_answers.propagate, model, asked, limit_s))

    @router.get("/lattices/{lattice}/optics", dependencies=read, responses=problems(404, 409, 410))
    async def read_optics(lattice: LatticeId, at: Literal["elements", "monitors"] = "elements") -> OpticsAnswer:
        """Compute orbit and optics at the entrances of all elements, or at the monitors."""
        model = store.get(lattice)
        return await run("computing the optics", partial(beam_answers.optics, model, at))

    @router.get("/lattices/{lattice}/response", dependencies=read, responses=problems(404, 409, 410))
    async def read_response(
        lattice: LatticeId,
        by: Literal["supply", "magnet"] = "supply",
        hold: Literal["frequency", "momentum"] = "frequency",
    ) -> ResponseAnswer:
        """Compute the orbit response matrix, by power supply [mm/A] or by steerer [mm/mrad]."""
        model = store.get(lattice)
        return await run("computing the response", partial(beam_answers.response, model, by, hold))

    return router


def _check_one(new: NewLattice) -> None:
    if sum(given is not None for given in (new.machine, new.document, new.running)) != 1:
        raise ProblemError(
            422,
            "give a document, the name of a machine, or a running server, one of them",
            field="document",
            action="give one of them",
        )


def _document(new: NewLattice) -> MachineDocument:
    try:
        if new.document is not None:
            return parse_machine(json.dumps(new.document), "document")
        return shipped_document(str(new.machine))
    except DocumentError as error:
        if new.document is not None:
            raise ProblemError(422, str(error), field="document", action="correct the document") from error
        raise ProblemError(
            422,
            str(error),
            field="machine",
            limit=", ".join(shipped_machines()),
            action="use one of these, or send the document of your machine",
        ) from error
