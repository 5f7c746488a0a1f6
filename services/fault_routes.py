"""Routes of faults: the kinds that a server knows, those that are active, add one, clear one or all."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from gnomon.clients.running_faults import add_fault, clear_faults, fault_kinds, list_faults
from gnomon.services.requested_faults import check_fault, fault_answer, fault_list
from gnomon.services.route_parts import ALWAYS, needs, problems
from gnomon.services.running_documents import FaultAnswer, FaultKinds, FaultList, NewFault
from gnomon.services.service_settings import ServiceSettings
from gnomon.services.twin_access import ChosenServer, TwinAccess


def fault_router(settings: ServiceSettings, twins: TwinAccess) -> APIRouter:
    """Make the routes of faults."""
    read = [Depends(needs(settings.tokens, "read"))]
    write = [Depends(needs(settings.tokens, "full"))]
    router = APIRouter(prefix="/v1/faults", tags=["faults"], responses=problems(*ALWAYS, 404, 409))

    @router.get("", dependencies=read)
    async def list_active_faults(chosen: ChosenServer) -> FaultList:
        """List the faults of a server that act or wait."""
        return fault_list(await twins.ask("listing faults", chosen, lambda client: list_faults(client.call)))

    @router.get("/kinds", dependencies=read)
    async def list_fault_kinds(chosen: ChosenServer) -> FaultKinds:
        """List the kinds of faults that a server knows, with the JSON schema of their keys."""
        kinds = await twins.ask("listing kinds of faults", chosen, lambda client: fault_kinds(client.call))
        return FaultKinds.model_validate({"kinds": [kind | {"keys": kind["schema"]} for kind in kinds]})

    @router.post("", status_code=201, dependencies=write, responses=problems(403))
    async def add_new_fault(chosen: ChosenServer, new: NewFault) -> FaultAnswer:
        """Make a server fail on purpose; it refuses what its kind does not allow, and the journal has it."""
        check_fault(new)
        added = await twins.ask("adding a fault", chosen, lambda client: add_fault(client.call, new.kind, new.keys))
        return fault_answer(added | {"kind": new.kind})

    @router.delete("/{number:int}", dependencies=write, responses=problems(403))
    async def clear_fault(chosen: ChosenServer, number: Annotated[int, Path(ge=1, le=2**53)]) -> FaultList:
        """Clear one fault."""
        return fault_list(await twins.ask("clearing a fault", chosen, lambda client: clear_faults(client.call, number)))

    @router.delete("", dependencies=write, responses=problems(403))
    async def clear_all_faults(chosen: ChosenServer) -> FaultList:
        """Clear all faults of a server."""
        return fault_list(await twins.ask("clearing faults", chosen, lambda client: clear_faults(client.call, None)))

    return router
