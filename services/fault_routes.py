"""Routes of faults: the kinds that a server knows, those that are active, add one, clear one or all."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path

from gnomon.clients.running_faults import add_fault, clear_faults, fault_kinds, list_faults
from gnomon.services.problems import ProblemError
from gnomon.services.route_parts import ALWAYS, needs, problems
from gnomon.services.running_documents import FaultAnswer, FaultKinds, FaultList, NewFault
from gnomon.services.service_settings import ServiceSettings
from gnomon.services.twin_access import ChosenServer, TwinAccess

#: Number of keys of a fault, and length of one, that are sent on to a server, which knows better.
MAX_KEYS, MAX_KEY = 50, 500
ADVICE = "GET /v1/faults/kinds lists the keys of each kind"


def fault_router(settings: ServiceSettings, twins: TwinAccess) -> APIRouter:
    """Make the routes of faults."""
    read = [Depends(needs(settings.tokens, "read"))]
    write = [Depends(needs(settings.tokens, "full"))]
    router = APIRouter(prefix="/v1/faults", tags=["faults"], responses=problems(*ALWAYS, 404, 409))

    @router.get("", dependencies=read)
    async def list_active_faults(chosen: ChosenServer) -> FaultList:
        """List the faults of a server that act or wait."""
        return _answer(await twins.ask("listing faults", chosen, lambda client: list_faults(client.call)))

    @router.get("/kinds", dependencies=read)
    async def list_fault_kinds(chosen: ChosenServer) -> FaultKinds:
        """List the kinds of faults that a server knows, with the JSON schema of their keys."""
        kinds = await twins.ask("listing kinds of faults", chosen, lambda client: fault_kinds(client.call))
        return FaultKinds.model_validate({"kinds": [kind | {"keys": kind["schema"]} for kind in kinds]})

    @router.post("", status_code=201, dependencies=write, responses=problems(403))
    async def add_new_fault(chosen: ChosenServer, new: NewFault) -> FaultAnswer:
        """Make a server fail on purpose; it refuses what its kind does not allow, and the journal has it."""
        _check(new)
        added = await twins.ask("adding a fault", chosen, lambda client: add_fault(client.call, new.kind, new.keys))
        return _fault(added | {"kind": new.kind})

    @router.delete("/{number:int}", dependencies=write, responses=problems(403))
    async def clear_fault(chosen: ChosenServer, number: Annotated[int, Path(ge=1, le=2**53)]) -> FaultList:
        """Clear one fault."""
        return _answer(await twins.ask("clearing a fault", chosen, lambda client: clear_faults(client.call, number)))

    @router.delete("", dependencies=write, responses=problems(403))
    async def clear_all_faults(chosen: ChosenServer) -> FaultList:
        """Clear all faults of a server."""
        return _answer(await twins.ask("clearing faults", chosen, lambda client: clear_faults(client.call, None)))

    return router


def _check(new: NewFault) -> None:
    """Refuse keys that cannot be texts, numbers, or true and false. Raises ProblemError."""
    if len(new.keys) > MAX_KEYS or {"do", "kind"} & new.keys.keys():
        raise ProblemError(
            422,
            "these are not keys of a fault",
            field="keys",
            action=ADVICE,
        )
    for name, value in new.keys.items():
        plain = value is None or isinstance(value, bool | int | float | str)
        if not (name.isidentifier() and len(name) <= MAX_KEY and plain and len(str(value)) <= MAX_KEY):
            raise ProblemError(
                422,
                f"{name}: it must be a number, a text, true or false, of at most {MAX_KEY} characters",
                field=f"keys.{name}"[:200],
                action=ADVICE,
            )


def _answer(faults: list[dict[str, Any]]) -> FaultList:
    return FaultList(faults=[_fault(fault) for fault in faults])


def _fault(told: dict[str, Any]) -> FaultAnswer:
    """Sort what a server tells about a fault: a table has the keys of all kinds, empty where they are not given."""
    known = {name: value for name, value in told.items() if name in FaultAnswer.model_fields}
    keys = {name: value for name, value in told.items() if name not in known and value not in (None, "")}
    return FaultAnswer.model_validate({"text": "", **known, "keys": keys})
