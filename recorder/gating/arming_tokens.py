"""One-time tokens that arm the gate: of one recording, machine, prefix, limits file, author and reviewer. Pure.

A token is valid for half an hour. It is a text: its content, and an HMAC-SHA256 of that under a key that only this
user can read. It is valid on the computer on which it was made, until that is restarted: both the clock and the running
time must agree about its age.
"""

import base64
import binascii
import hashlib
import hmac
import json
import math
from dataclasses import asdict, dataclass
from typing import Any

from gnomon.recorder.recorder_errors import AuthorityError

__all__ = ["VALID_S", "Claims", "TimeOfToken", "make_token", "read_token"]

#: Validity of a token [s].
VALID_S = 1800.0

#: Largest difference between the clock and the running time since the token was made [s].
MAX_JUMP_S = 2.0

#: Longest text that is read.
MAX_LENGTH = 4096

_BEGIN = "gnomon-arm-1."
_TEXTS = ("id", "recording", "machine", "prefix", "author", "reviewer", "limits", "boot_id")


@dataclass(frozen=True, slots=True)
class TimeOfToken:
    """The time by both clocks: wall clock [ns since 1970], running time [s], and the start that it counts from."""

    wall_ns: int
    monotonic_s: float
    boot_id: str


@dataclass(frozen=True, slots=True)
class Claims:
    """The content of a token; `id` is random, `limits` the digest of the limits file."""

    id: str
    recording: str
    machine: str
    prefix: str
    author: str
    reviewer: str
    limits: str
    wall_ns: int
    monotonic_s: float
    boot_id: str

    @property
    def expires_ns(self) -> int:
        """The end of its validity by the wall clock."""
        return self.wall_ns + int(VALID_S * 1e9)


def make_token(claims: Claims, key: bytes) -> str:
    """Make the text of a token. Raises AuthorityError if the reviewer is the author."""
    _two_people(claims)
    content = json.dumps(asdict(claims), sort_keys=True, separators=(",", ":")).encode()
    return f"{_BEGIN}{base64.urlsafe_b64encode(content).decode()}.{_signature(content, key)}"


def read_token(
    text: str,
    key: bytes,
    *,
    recording: str,
    machine: str,
    prefix: str,
    now: TimeOfToken,
    limits: str | None = None,
) -> Claims:
    """Read a token for a recording on a machine. Raises AuthorityError for every way in which it may be wrong.

    With `limits`, it must be for the limits file of that digest, which the gate compares in any case. That it is used
    for the first time is for the registry of used tokens to say.
    """
    claims = _parsed(text, key)
    for name, given, wanted in (
        ("recording", claims.recording, recording),
        ("machine", claims.machine, machine),
        ("prefix", claims.prefix, prefix),
        ("limits file", claims.limits, claims.limits if limits is None else limits),
    ):
        if given != wanted:
            raise AuthorityError(f"the token is for the {name} {given!r}, not for {wanted!r}: arm again")
    _two_people(claims)
    if claims.boot_id != now.boot_id:
        raise AuthorityError(
            "the token was made on another computer, or before this one was restarted: its age is not known; arm again"
        )
    wall_s, running_s = (now.wall_ns - claims.wall_ns) / 1e9, now.monotonic_s - claims.monotonic_s
    if not (abs(wall_s - running_s) <= MAX_JUMP_S and running_s >= 0.0):
        raise AuthorityError(
            f"since the token was made, {wall_s:.1f} s have passed by the clock, but {running_s:.1f} s by the running "
            "time of the computer: the clock was set; find out why, then arm again"
        )
    if not max(wall_s, running_s) < VALID_S:
        raise AuthorityError(
            f"the token was made {running_s / 60.0:.1f} min ago; it is valid for {VALID_S / 60.0:.0f} min: arm again"
        )
    return claims


def _parsed(text: str, key: bytes) -> Claims:
    wrong = AuthorityError(
        "this is not a token of this user on this computer: it is incomplete, changed or forged; arm again"
    )
    text = text.strip()
    if not text.startswith(_BEGIN) or len(text) > MAX_LENGTH:
        raise wrong
    encoded, _, signature = text.removeprefix(_BEGIN).partition(".")
    try:
        content = base64.b64decode(encoded.encode("ascii"), altchars=b"-_", validate=True)
        if not hmac.compare_digest(signature.encode("ascii"), _signature(content, key).encode("ascii")):
            raise wrong
        data: dict[str, Any] = json.loads(content)
        claims = Claims(**data)
    except (binascii.Error, ValueError, TypeError) as error:
        raise wrong from error
    texts = all(isinstance(getattr(claims, name), str) for name in _TEXTS)
    if not (texts and type(claims.wall_ns) is int and type(claims.monotonic_s) is float):
        raise wrong
    if base64.urlsafe_b64encode(content).decode() != encoded or not math.isfinite(claims.monotonic_s):
        raise wrong
    return claims


def _signature(content: bytes, key: bytes) -> str:
    return hmac.new(key, _BEGIN.encode() + content, hashlib.sha256).hexdigest()


def _two_people(claims: Claims) -> None:
    reviewer, author = (name.partition("@")[0] for name in (claims.reviewer, claims.author))
    if not reviewer or not author or reviewer == author:
        raise AuthorityError(
            f"the reviewer is {claims.reviewer!r} and the author {claims.author!r}: someone else must review"
        )
