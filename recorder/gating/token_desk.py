"""The desk where tokens are made and taken: it keeps the key, and a durable note of each token that was used."""

import os
import platform
import re
import secrets
import stat
import time
from collections.abc import Callable
from pathlib import Path

from gnomon.lattice.files import others_have_access
from gnomon.recorder.gating.arming_tokens import MAX_LENGTH, Claims, TimeOfToken, make_token, read_token
from gnomon.recorder.gating.verdict import Approved, Authority
from gnomon.recorder.recorder_errors import AuthorityError

__all__ = ["TokenDesk", "time_of_token"]

#: Length of the key [bytes].
KEY_LENGTH = 32

_TOKEN_ID = re.compile(r"[0-9a-f]{32}")

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def time_of_token() -> TimeOfToken:
    """Read both clocks of this computer, and what its running time counts from."""
    try:
        boot = _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:  # no Linux: the running time itself shows a restart
        boot = ""
    return TimeOfToken(time.time_ns(), time.monotonic(), f"{platform.node()}/{boot}")


class TokenDesk:
    """Tokens of one user. `folder` is made on first use; nobody else may read it."""

    def __init__(self, folder: Path, now: Callable[[], TimeOfToken] = time_of_token) -> None:
        self.folder = folder
        self._now = now

    def issue(self, *, recording: str, machine: str, prefix: str, author: str, reviewer: str, limits: str) -> str:
        """Make a token for the limits file of the digest `limits`.

        Whoever calls this has checked the reviewer's approval. Raises AuthorityError.
        """
        now = self._now()
        claims = Claims(
            secrets.token_hex(16),
            recording,
            machine,
            prefix,
            author,
            reviewer,
            limits,
            now.wall_ns,
            now.monotonic_s,
            now.boot_id,
        )
        return make_token(claims, self._key(make=True))

    def redeem(self, token: str, approved: Approved, prefix: str, limits: str | None = None) -> Authority:
        """Take a token: the authority to write what was approved, which ends with the token. Raises AuthorityError.

        With `limits`, a token for a limits file of another digest is refused here, and not used. That it was used is on
        disk before this returns, so it cannot be used again, whatever happens next.
        """
        claims = self._read(token, approved, prefix, limits)
        self._note_used(claims, token)
        return _authority(claims, approved)

    def take_over(self, token_id: str, approved: Approved, prefix: str) -> Authority:
        """Take over the authority of a replay whose process has ended, from the note of its token's use.

        The token is checked as when it was taken: what another file says about the right to write does not count.
        Raises AuthorityError.
        """
        path = self.folder / "used" / token_id
        try:
            if not _TOKEN_ID.fullmatch(token_id):
                raise FileNotFoundError(token_id)
            with path.open(encoding="ascii") as file:
                token = file.read(MAX_LENGTH + 1)
        except (OSError, UnicodeDecodeError) as error:
            raise AuthorityError(f"the token {token_id!r} was never taken here: there is no right to write") from error
        claims = self._read(token, approved, prefix)
        if claims.id != token_id:
            raise AuthorityError(f"{path}: this is the note of another token: there is no right to write")
        return _authority(claims, approved)

    def _read(self, token: str, approved: Approved, prefix: str, limits: str | None = None) -> Claims:
        return read_token(
            token,
            self._key(make=False),
            recording=approved.id,
            machine=approved.machine,
            prefix=prefix,
            now=self._now(),
            limits=limits,
        )

    def _key(self, *, make: bool) -> bytes:
        path = self.folder / "arming.key"
        try:
            if make and not path.exists():
                self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                _write_new(path, secrets.token_bytes(KEY_LENGTH))
            of_folder, of_key, shared = self.folder.stat(), path.stat(), others_have_access(path)
            key = path.read_bytes()
        except FileNotFoundError as error:
            raise AuthorityError(f"{path}: no token was ever made here; arm first with gnomon gate arm") from error
        except OSError as error:
            raise AuthorityError(f"{path}: the key of tokens cannot be used: {error}") from error
        if of_folder.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise AuthorityError(
                f"{self.folder}: other users can write in this folder, and so forge tokens or use one twice; "
                "delete it, and arm again, which makes another"
            )
        if {of_folder.st_uid, of_key.st_uid} != {os.geteuid()}:
            raise AuthorityError(f"{path}: this key, or its folder, belongs to another user; arm in your own folder")
        if shared:
            raise AuthorityError(f"{path}: other users can read this key; delete it and arm again, which makes another")
        if len(key) != KEY_LENGTH:
            raise AuthorityError(f"{path}: this is not a key; delete it and arm again, which makes another")
        return key

    def _note_used(self, claims: Claims, token: str) -> None:
        folder = self.folder / "used"
        path = folder / claims.id
        try:
            if not folder.is_dir():
                folder.mkdir(mode=0o700)
            _write_new(path, token.strip().encode("ascii"))
        except OSError as error:
            if path.exists():
                raise AuthorityError("the token was used already; each is for one replay: arm again") from error
            raise AuthorityError(f"{path}: the use of the token cannot be noted, so it is refused: {error}") from error


def _authority(claims: Claims, approved: Approved) -> Authority:
    return Authority(
        approved=approved,
        token_id=claims.id,
        author=claims.author,
        reviewer=claims.reviewer,
        limits_digest=claims.limits,
        granted_ns=claims.wall_ns,
        granted_s=claims.monotonic_s,
        expires_ns=claims.expires_ns,
    )


def _write_new(path: Path, content: bytes) -> None:
    """Write a file that must not exist yet; it and its name are durable when this returns."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
