"""Parts of routes: who may call them, and the problems that they may answer."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from gnomon.services.access_tokens import Role, Tokens
from gnomon.services.problems import PROBLEM_JSON, TITLES, Problem, ProblemError

#: What every route that needs a token may answer.
ALWAYS = (400, 401, 408, 413, 422, 503, 504)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe problems as answers of a route, for the OpenAPI document."""
    schema = {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}
    return {status: {"description": TITLES[status], "content": {PROBLEM_JSON: schema}} for status in statuses}


def needs(tokens: Tokens, role: Role) -> Callable[..., None]:
    """Make the dependency that refuses a request without a token of that role. It raises ProblemError."""
    bearer = HTTPBearer(auto_error=False, description="the token of the services, or their read-only token")

    def check(request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> None:
        given = tokens.role(request.headers.get("authorization"))
        if given is None:
            raise ProblemError(
                401,
                "the request has no valid token",
                field="header Authorization",
                action="send the header `Authorization: Bearer TOKEN`; `gnomon services` says where the token is",
                headers={"WWW-Authenticate": "Bearer"},
            )
        if role == "full" and given == "read":
            raise ProblemError(
                403,
                "the read-only token reads and computes; it makes, changes and starts nothing",
                field="header Authorization",
                action="use the full token",
            )

    return check
