"""Signing in: the token once, then a cookie that scripts of a page cannot read and other sites cannot use.

The cookie holds a role, the time when it ends, and a signature by the token of that role: a new token ends all of them,
a restart of the services none.
"""

import hashlib
import hmac
import time
from collections.abc import Sequence
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gnomon.services.access_tokens import Role, Tokens

__all__ = ["ROLE_HEADER", "Guard", "SignIn"]

#: Time that a cookie is valid [s]: a long shift.
VALID_S = 12 * 3600
#: Header that tells the pages the role of a request; one that a client sends is removed.
ROLE_HEADER = "x-gnomon-role"
#: What needs no cookie: the form, and its style.
OPEN_PATHS = ("/login", "/assets/")

#: Nothing is loaded from elsewhere, and no other page can frame these. Plotly and React set styles of elements.
CONTENT_SECURITY = (
    "default-src 'self'; script-src 'self'{scripts}; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)


class SignIn:
    """Cookies of the dashboard: made from a token, checked without one."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        # Cookies of one host are shared by all its ports: two services must not overwrite each other's.
        self.cookie = f"gnomon_{_signature(tokens.full, 'name')[:8]}"

    def make(self, token: str, now: float | None = None) -> str | None:
        """Make a cookie's value from a token; None if the token is not valid."""
        role = self._tokens.role(f"Bearer {token}")
        if role is None:
            return None
        what = f"{role}.{int((time.time() if now is None else now) + VALID_S)}"
        return f"{what}.{_signature(self._token(role), what)}"

    def role(self, cookies: str, now: float | None = None) -> Role | None:
        """Return the role that a header `Cookie` gives; None if it holds no valid cookie of ours."""
        try:
            value = SimpleCookie(cookies)[self.cookie].value
            what, _, signature = value.rpartition(".")
            told, _, end = what.partition(".")
            valid = end.isascii() and end.isdigit() and int(end[:12]) > (time.time() if now is None else now)
        except (CookieError, KeyError):
            return None
        for role in ("full", "read"):
            token = self._token(role)
            if valid and told == role and token and hmac.compare_digest(signature, _signature(token, what)):
                return role
        return None

    def _token(self, role: Role) -> str:
        return self._tokens.full if role == "full" else self._tokens.read or ""


class Guard:
    """Lets only those who have signed in to the pages, and answers no request that another site has sent.

    Without a cookie a page is answered by the form, everything else by 401. `script_hashes` are those of the inline
    scripts that Dash has; browsers run no others.
    """

    def __init__(self, app: ASGIApp, sign_in: SignIn, script_hashes: Sequence[str] = ()) -> None:
        self._app = app
        self._sign_in = sign_in
        policy = CONTENT_SECURITY.format(scripts="".join(f" {each}" for each in script_hashes))
        self._headers = (
            (b"content-security-policy", policy.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"same-origin"),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return  # no page uses websockets
        headers = Headers(scope=scope)
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        role = self._sign_in.role(headers.get("cookie", ""))
        if scope["method"] not in ("GET", "HEAD") and not is_own(headers):
            await self._answer(send, 403, "this request comes from another site")
        elif role is None and not path.startswith(OPEN_PATHS):
            wants_page = scope["method"] == "GET" and "text/html" in headers.get("accept", "")
            where = f"{scope.get('root_path', '')}/login"
            await (
                self._answer(send, 303, "sign in", where) if wants_page else self._answer(send, 401, "sign in first")
            )
        else:
            own = ROLE_HEADER.encode()
            kept = [pair for pair in scope["headers"] if pair[0].lower() != own]
            scope = {**scope, "headers": [*kept, (own, (role or "").encode())]}
            await self._app(scope, receive, self._with_headers(send))

    def _with_headers(self, send: Send) -> Send:
        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), *self._headers]}
            await send(message)

        return add

    async def _answer(self, send: Send, status: int, text: str, location: str = "") -> None:
        headers = [(b"content-type", b"text/plain; charset=utf-8"), *self._headers]
        headers += [(b"location", location.encode())] if location else []
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": text.encode()})


def is_own(headers: Headers) -> bool:
    """Tell whether a request was sent by a page of this server, as far as a browser says."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


def _signature(token: str, text: str) -> str:
    return hmac.new(token.encode(), f"gnomon dashboard {text}".encode(), hashlib.sha256).hexdigest()
