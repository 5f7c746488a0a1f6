"""Routes of running servers: list, state, readings, settings, forks."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from gnomon.clients.epics_client import EpicsClient
from gnomon.clients.overview import read_overview
from gnomon.clients.running_twins import server_document
from gnomon.ioc.base.running_servers import running_servers
from gnomon.services.problems import ProblemError
from gnomon.services.requested_settings import asked_values, make_settings_of
from gnomon.services.route_parts import ALWAYS, needs, problems
from gnomon.services.running_documents import (
    MAX_READINGS,
    ForkAnswer,
    ForkList,
    MadeSettings,
    NewFork,
    NewSettings,
    ReadingList,
    ServerList,
    ServerState,
)
from gnomon.services.service_settings import ServiceSettings
from gnomon.services.twin_access import ChosenServer, TwinAccess


def running_router(settings: ServiceSettings, twins: TwinAccess) -> APIRouter:
    """Make the routes of running servers."""
    read = [Depends(needs(settings.tokens, "read"))]
    write = [Depends(needs(settings.tokens, "full"))]
    router = APIRouter(prefix="/v1", tags=["running servers"], responses=problems(*ALWAYS, 404, 409))

    @router.get("/servers", dependencies=read)
    async def list_servers() -> ServerList:
        """List the servers that run on this computer for the user of the services."""
        servers = await twins.run("listing servers", running_servers)
        return ServerList.model_validate({"servers": [server_document(server) for server in servers]})

    @router.get("/state", dependencies=read)
    async def read_state(chosen: ChosenServer) -> ServerState:
        """Show a server as `gnomon status` does: what needs attention, beam, tunes, orbit, model, faults, journal."""
        told = await twins.ask("reading the state", chosen, lambda client: read_overview(client, 0).to_json())
        return ServerState.model_validate(told)

    @router.get("/readings", dependencies=read)
    async def read_pvs(
        chosen: ChosenServer,
        name: Annotated[
            list[Annotated[str, Query(max_length=200)]],
            Query(min_length=1, max_length=1000, description="names of PVs, or patterns such as HS*:set; repeat it"),
        ],
    ) -> ReadingList:
        """Read PVs of a server, given by name or pattern, with or without the prefix."""
        return await twins.ask("reading PVs", chosen, lambda client: _readings(client, name))

    @router.post("/settings", dependencies=write, responses=problems(403))
    async def make_settings(chosen: ChosenServer, asked: NewSettings) -> MadeSettings:
        """Write setpoints of a gnomon server as one command, all or none; answered when the new orbit is out.

        Other servers, as those of a real machine, do not know this procedure: nothing is written to them.
        """
        values = asked_values(asked)
        return await twins.ask("making settings", chosen, lambda client: make_settings_of(client, values, asked.note))

    @router.get("/forks", dependencies=read)
    async def list_forks(chosen: ChosenServer) -> ForkList:
        """List the forks of a server."""
        forks = await twins.ask("listing forks", chosen, lambda client: client.call("dt:fork", {"do": "list"}))
        return ForkList.model_validate({"forks": forks})

    @router.post("/forks", status_code=201, dependencies=write, responses=problems(403))
    async def add_fork(chosen: ChosenServer, new: NewFork) -> ForkAnswer:
        """Add a copy of a running twin, with a prefix, a lattice and a journal of its own."""
        given = new.model_dump(exclude={"nominal"}, exclude_none=True) | ({"nominal": "true"} if new.nominal else {})
        made = await twins.ask("adding a fork", chosen, lambda client: client.call("dt:fork", {**given, "do": "add"}))
        return ForkAnswer.model_validate(made)

    @router.delete("/forks/{name}", dependencies=write, responses=problems(403))
    async def drop_fork(chosen: ChosenServer, name: Annotated[str, Path(max_length=50)]) -> ForkAnswer:
        """End a fork; its journal is kept."""
        dropped = await twins.ask(
            "dropping a fork", chosen, lambda client: client.call("dt:fork", {"do": "drop", "name": name})
        )
        return ForkAnswer.model_validate(dropped)

    return router


def _readings(client: EpicsClient, names: list[str]) -> ReadingList:
    wanted = client.expand(names)
    if len(wanted) > MAX_READINGS:
        raise ProblemError(
            422,
            f"{len(wanted)} PVs in one request",
            field="name",
            value=len(wanted),
            limit=f"{MAX_READINGS} PVs",
            action="ask for fewer at a time",
        )
    readings = [reading.to_json() for reading in client.get(*wanted)]
    return ReadingList.model_validate({"prefix": client.prefix, "readings": readings})
