"""Settings and faults that clients of MQTT ask for, with the token of the services; each is answered once it is done.

A request goes the way of one over HTTP: the same documents, the same checks, the server's own procedures `dt:set` and
`dt:fault`. One that comes twice, as QoS 1 allows, is carried out once.
"""

import asyncio
import json
import logging
from collections import OrderedDict
from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from gnomon.clients.running_faults import add_fault, clear_faults, fault_kinds, list_faults
from gnomon.ioc.base.log_limits import SparingLog
from gnomon.lattice import GnomonError
from gnomon.services.access_tokens import Tokens
from gnomon.services.forward.server_access import ServerAccess
from gnomon.services.forward.topics import Topics
from gnomon.services.problems import SCHEMA as HTTP_SCHEMA
from gnomon.services.problems import Problem, ProblemError, of_error, of_validation
from gnomon.services.requested_faults import check_fault, fault_answer, fault_list
from gnomon.services.requested_settings import asked_values, make_settings_of
from gnomon.services.running_documents import NewFault, NewSettings

__all__ = ["SCHEMA", "Answer", "Requests", "request_schemas"]

SCHEMA: Literal["gnomon.answer/1"] = "gnomon.answer/1"

#: Largest request [bytes], and number of answers that are remembered for requests that come twice.
MAX_BYTES, MAX_KNOWN = 2**20, 500
#: Number of requests that are carried out or wait at the same time.
TOGETHER = 16
#: Longest correlation data [bytes].
MAX_CORRELATION = 200

_log = logging.getLogger("gnomon.forward")
_sparing = SparingLog(_log)


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AddFault(NewFault):
    """Make the server fail on purpose."""

    do: Literal["add"]


class ClearFaults(_Asked):
    """Clear one fault, or all."""

    do: Literal["clear"]
    number: Annotated[int, Field(ge=1, le=2**53)] | None = None


class ListFaults(_Asked):
    """List the faults that act or wait, or the kinds that the server knows."""

    do: Literal["list", "kinds"]


FaultRequest = Annotated[AddFault | ClearFaults | ListFaults, Field(discriminator="do")]


class Answer(_Asked):
    """Answer to a request: `result` as over HTTP, or `problem`."""

    schema_: Literal["gnomon.answer/1"] = Field(default=SCHEMA, alias="schema")
    ok: bool
    result: Any = None
    problem: Problem | None = None


def request_schemas() -> dict[str, Any]:
    """Generate the JSON schema of requests and answers."""
    request: TypeAdapter[Any] = TypeAdapter(NewSettings | FaultRequest | Answer)
    return request.json_schema(by_alias=True)


class Requests:
    """Carries out requests. `tokens` are those of the services: their full one is needed for all but lists."""

    def __init__(self, server: ServerAccess, tokens: Tokens) -> None:
        self._server, self._tokens = server, tokens
        self._known: OrderedDict[tuple[str, bytes, str, str, bytes], asyncio.Future[Answer]] = OrderedDict()
        self._running: set[asyncio.Task[None]] = set()

    async def serve(self, client: Any, topics: Topics) -> None:
        """Carry out the requests that come over a connection, until it is lost."""
        import aiomqtt

        try:
            async for message in client.messages:
                task = asyncio.create_task(self._answer(client, topics, message))
                self._running.add(task)
                task.add_done_callback(self._running.discard)
        except aiomqtt.MqttError:
            return  # the session tells

    async def _answer(self, client: Any, topics: Topics, message: Any) -> None:
        import aiomqtt

        from gnomon.services.forward.mqtt_client import json_properties

        where = str(getattr(message.properties, "ResponseTopic", ""))
        correlation = bytes(getattr(message.properties, "CorrelationData", b""))
        if message.retain or not topics.may_answer_at(where) or len(correlation) > MAX_CORRELATION:
            _sparing.warning("a request over MQTT is left alone: it is retained, or has no topic for an answer")
            return
        payload, identity = bytes(message.payload or b""), (where, correlation)
        answer = await self.carry_out(topics, str(message.topic), _token(message), payload, identity)
        about = json_properties(correlation)
        try:
            await client.publish(where, answer.model_dump_json(by_alias=True), qos=1, properties=about)
        except (aiomqtt.MqttError, ValueError) as error:
            _sparing.warning("an answer over MQTT could not be sent: %s", error)

    async def carry_out(
        self, topics: Topics, topic: str, token: str, payload: bytes, identity: tuple[str, bytes] = ("", b"")
    ) -> Answer:
        """Carry out a request, and return what became of it. `identity`: of one that has it, the answer is the same."""
        role = self._tokens.role(f"Bearer {token}")
        if role is None:
            return _problem(ProblemError(401, "no valid token", action="send the token as user property `token`"))
        same = (*identity, topic, role, sha256(payload).digest())  # another request with these data is another one
        known = self._known.get(same) if identity[1] else None
        if known is None and len(self._running) > TOGETHER:  # not remembered: it may be tried again
            return _problem(ProblemError(503, "too many requests at a time", limit=f"{TOGETHER}", action="try again"))
        if not identity[1]:
            return await self._guarded(topics, topic, role, payload)
        if known is None:
            known = self._known[same] = asyncio.ensure_future(self._guarded(topics, topic, role, payload))
            while len(self._known) > MAX_KNOWN:
                self._known.popitem(last=False)
        return await asyncio.shield(known)

    async def _guarded(self, topics: Topics, topic: str, role: str, payload: bytes) -> Answer:
        try:
            if len(payload) > MAX_BYTES:
                raise ProblemError(413, f"the request has {len(payload)} bytes", limit=f"{MAX_BYTES} bytes")
            asked = json.loads(payload)
            work = self._settings if topic == topics.settings else self._faults
            return Answer(ok=True, result=await work(topics.prefix, role, asked))
        except ValidationError as error:
            return _not_valid(error)
        except (ValueError, RecursionError) as error:
            return _problem(ProblemError(400, f"the request is not JSON: {error}"))
        except GnomonError as error:
            return _problem(of_error(error))

    async def _settings(self, prefix: str, role: str, asked: Any) -> Any:
        _needs_full(role)
        settings = NewSettings.model_validate(asked)
        values = asked_values(settings)
        made = await self._server.ask(prefix, lambda client: make_settings_of(client, values, settings.note))
        return made.model_dump(mode="json")

    async def _faults(self, prefix: str, role: str, asked: Any) -> Any:
        request: Any = TypeAdapter(FaultRequest).validate_python(asked)
        if isinstance(request, ListFaults):
            if request.do == "kinds":
                return {"kinds": await self._server.ask(prefix, lambda client: fault_kinds(client.call))}
            return fault_list(await self._server.ask(prefix, lambda client: list_faults(client.call))).model_dump()
        _needs_full(role)
        if isinstance(request, ClearFaults):
            number = request.number
            cleared = await self._server.ask(prefix, lambda client: clear_faults(client.call, number))
            return fault_list(cleared).model_dump()
        new = NewFault(kind=request.kind, keys=request.keys)
        check_fault(new)
        added: Mapping[str, Any] = await self._server.ask(
            prefix, lambda client: add_fault(client.call, new.kind, new.keys)
        )
        return fault_answer({**added, "kind": new.kind}).model_dump()


def _needs_full(role: str) -> None:
    if role != "full":
        raise ProblemError(403, "the token is read-only", action="send the full token")


def _token(message: Any) -> str:
    pairs = getattr(message.properties, "UserProperty", [])
    return next((str(value) for name, value in pairs if name == "token"), "")


def _not_valid(error: ValidationError) -> Answer:
    found = of_validation([{**each, "loc": ("request", *each["loc"])} for each in error.errors(include_url=False)])
    action = (found.problem.action or "").replace(HTTP_SCHEMA, "see the schema gnomon.request/1")
    return Answer(ok=False, problem=found.problem.model_copy(update={"action": action}))


def _problem(error: ProblemError) -> Answer:
    return Answer(ok=False, problem=error.problem)
