"""Bearer tokens: one that may do everything, and one that may only read."""

import hmac
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gnomon.lattice import GnomonError
from gnomon.lattice.files import others_have_access, read_bounded

__all__ = ["READ_VARIABLE", "VARIABLE", "TokenError", "Tokens", "find_tokens"]

#: Environment variables that hold the tokens.
VARIABLE, READ_VARIABLE = "GNOMON_SERVICES_TOKEN", "GNOMON_SERVICES_READ_TOKEN"

#: Shortest and longest token [characters].
MIN_LENGTH, MAX_LENGTH = 16, 512

Role = Literal["full", "read"]


class TokenError(GnomonError):
    """A token that cannot be used; the text says which and why, and never shows it."""


@dataclass(frozen=True, slots=True, repr=False)
class Tokens:
    """The tokens that are accepted, and where they come from; without a second one there is no read-only role."""

    full: str
    read: str | None = None
    source: str = ""
    read_source: str = "none"

    def role(self, authorization: str | None) -> Role | None:
        """Return the role that the header `Authorization` gives; None if it holds no valid token."""
        scheme, _, given = (authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        if _equal(given.strip(), self.full):
            return "full"
        return "read" if self.read is not None and _equal(given.strip(), self.read) else None


def find_tokens(
    kept: Path, file: Path | None = None, read_file: Path | None = None, environment: Mapping[str, str] = os.environ
) -> Tokens:
    """Find the tokens: in files that were named, else in the environment, else the full one in `kept`.

    `kept` is made with a random token, for its owner alone, if it is missing. Raises TokenError.
    """
    if file is not None:
        full, source = _read(file), str(file)
    elif VARIABLE in environment:
        full, source = _checked(environment[VARIABLE], VARIABLE), f"environment variable {VARIABLE}"
    else:
        full, source = _read(kept) if kept.exists() else _make(kept), str(kept)
    read, read_source = None, "none"
    if read_file is not None:
        read, read_source = _read(read_file), str(read_file)
    elif READ_VARIABLE in environment:
        read, read_source = _checked(environment[READ_VARIABLE], READ_VARIABLE), f"environment variable {READ_VARIABLE}"
    if read is not None and _equal(read, full):
        raise TokenError("the read-only token is the same as the full one: use another one")
    return Tokens(full, read, source, read_source)


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(errors="surrogatepass"), other.encode(errors="surrogatepass"))


def _checked(token: str, where: str) -> str:
    token = token.strip()
    if not MIN_LENGTH <= len(token) <= MAX_LENGTH:
        raise TokenError(f"{where}: the token has {len(token)} characters; use {MIN_LENGTH} to {MAX_LENGTH}")
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise TokenError(f"{where}: the token has characters other than printable ones of ASCII without spaces")
    return token


def _read(file: Path) -> str:
    file = file.expanduser()
    try:
        if others_have_access(file):
            raise TokenError(f"{file}: others can read this token; run: chmod 600 {file}")
        return _checked(read_bounded(file), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise TokenError(f"{file}: the token cannot be read: {error}") from error


def _make(file: Path) -> str:
    token = secrets.token_hex(32)  # letters and digits alone, as tiled wants them
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            opened.write(token + "\n")
    except FileExistsError:
        return _read(file)
    except OSError as error:
        raise TokenError(f"{file}: a token cannot be kept there: {error}; set {VARIABLE} instead") from error
    return token
