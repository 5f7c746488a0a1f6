"""Errors as problem documents (RFC 9457): what happened, which field, value, unit, limit, and what to do."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field

from gnomon.clients.errors import NoAnswerError, NoServerError, NotFoundError, SeveralServersError
from gnomon.lattice import GnomonError, Lattice, LatticeError, RefusedValue
from gnomon.lattice.text import printable, shorten
from gnomon.procedures.option_errors import worded
from gnomon.recorder import JournalError, RecordingError, ReviewError

#: Where a client finds what a request may have.
SCHEMA = "see the schema of this request in /openapi.json"
#: Media type of a problem document.
PROBLEM_JSON = "application/problem+json"

TITLES = {
    400: "The request cannot be read",
    401: "No valid token",
    403: "The token is read-only",
    404: "Not found",
    405: "Method not allowed",
    408: "The request was too slow",
    409: "Not in this state",
    410: "No longer kept",
    413: "The request is too large",
    422: "Refused",
    500: "Internal error",
    503: "Busy, or no answer",
    504: "The calculation took too long",
}


#: What becomes of errors of clients: status, and what to do.
_KINDS: tuple[tuple[type[GnomonError], int, str], ...] = (
    (SeveralServersError, 409, "give the prefix or the process of one of them, as `?prefix=TWIN:` or `?server=PID`"),
    (NoServerError, 404, "GET /v1/servers lists the running servers; `gnomon serve` starts one"),
    (NotFoundError, 404, "GET /v1/readings?name=PATTERN lists PVs by pattern"),
    (NoAnswerError, 503, "check that the server runs: GET /v1/state; a setting may be made: GET /v1/recordings says"),
    (ReviewError, 409, "see GET /v1/recordings"),
    (RecordingError, 409, "check the recordings with `gnomon record list`"),
    (JournalError, 503, "check the journal with `gnomon log`"),
)


class Problem(BaseModel):
    """An error: what happened (`detail`), where (`field`), with which value, unit and limit, and what to do."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    field: str | None = Field(default=None, description="place in the request, such as `updates[0].value`")
    value: float | int | str | None = None
    unit: str | None = None
    limit: str | None = None
    action: str | None = Field(default=None, description="what to do")


class ProblemError(GnomonError):
    """A request that cannot be answered as asked; becomes a problem document."""

    def __init__(self, status: int, detail: str, *, headers: Mapping[str, str] | None = None, **members: Any) -> None:
        super().__init__(detail)
        members.setdefault("title", TITLES.get(status, "Error"))
        self.problem = Problem(status=status, detail=printable(detail), **members)
        self.headers = dict(headers or {})


def of_error(error: GnomonError) -> ProblemError:
    """Turn an error that a user can act on into a problem."""
    if isinstance(error, ProblemError):
        return error
    for kind, status, action in _KINDS:
        if isinstance(error, kind):
            return ProblemError(status, _in_one_line(str(error)), action=action)
    return ProblemError(422, _in_one_line(str(error)))


def _in_one_line(text: str) -> str:
    """Join the lines of a message."""
    first, *more = (line.strip() for line in text.splitlines() or [""])
    return " ".join([first, "; ".join(more)]).strip()


def of_setting(lattice: Lattice, key: tuple[str, str], value: float, field: str) -> ProblemError | None:
    """Say what is wrong with one setting, with the limits; None if it can be set by itself."""
    try:
        spec = lattice.ring.property_spec(*key)
    except LatticeError as error:
        return ProblemError(422, str(error), field=field, action="use a device and a property of this machine")
    try:
        lattice.updated({key: value})
    except RefusedValue as error:
        return ProblemError(
            422,
            str(error),
            field=f"{field}.value",
            value=value,
            unit=spec.unit or "1",
            limit=f"{spec.low:g} to {spec.high:g}" + (", whole numbers" if spec.whole else ""),
            action="give a value within the limit",
        )
    except LatticeError as error:
        return ProblemError(422, str(error), field=field, value=value, unit=spec.unit or "1")
    return None


def of_validation(errors: Sequence[Any]) -> ProblemError:
    """Turn pydantic's errors of a request into a problem about the first one."""
    first = errors[0]
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"][1:]).lstrip(".")
    where = str(first["loc"][0]) if first["loc"] else "request"
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    given = first.get("input")
    plain = isinstance(given, str | int | float)
    what, limit, action = worded(first, shorten(str(given)) if plain else "")
    status = 400 if first["type"].startswith("json") else 422
    return ProblemError(
        status,
        f"{place or where}: {what}{more}",
        field=printable(place or where)[:200],
        value=shorten(str(given)) if plain else None,
        limit=limit or None,
        action=f"{action}; {SCHEMA}" if action else SCHEMA,
    )
