"""Approvals: the Ed25519 signature of a reviewer under the id of a recording.

The key is made on first use, so it shows that several approvals come from one user account, and that neither recording
nor approval was changed afterwards. It does not prove who that is.
"""

import base64
import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gnomon.lattice.files import others_have_access
from gnomon.recorder.command_document import iso_time
from gnomon.recorder.recorder_errors import RecordingError
from gnomon.recorder.recordings.recording import Approval, Recording, signed_bytes

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

#: What to say of every approval.
NO_IDENTITY = "a key that somebody made themselves does not prove who they are"


def fingerprint(public_key: str) -> str:
    """Shorten a public key (base64) to 16 hex digits of its SHA-256, for people to compare."""
    return hashlib.sha256(base64.b64decode(public_key)).hexdigest()[:16]


def key_path() -> Path:
    """Find the file of this user's key: GNOMON_REVIEW_KEY, else `gnomon/review.key` among their configuration."""
    if named := os.environ.get("GNOMON_REVIEW_KEY"):
        return Path(named).expanduser()
    home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(home).expanduser() / "gnomon" / "review.key"


class ReviewKey:
    """A reviewer's key."""

    def __init__(self, key: "Ed25519PrivateKey") -> None:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        self._key = key
        self.public_key = base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()

    @property
    def fingerprint(self) -> str:
        """The short form of the public key."""
        return fingerprint(self.public_key)

    def approve(self, recording: Recording, reviewer: str, wall_ns: int, limits: str = "") -> Approval:
        """Sign a recording, for replays with the limits file of the digest `limits`."""
        fields = {
            "schema": "gnomon.approval/1",
            "recording": recording.id,
            "machine": recording.machine,
            **({"limits": limits} if limits else {}),
            "reviewer": reviewer,
            "time": iso_time(wall_ns),
            "public_key": self.public_key,
        }
        signature = base64.b64encode(self._key.sign(signed_bytes(fields))).decode()
        return Approval.model_validate(fields | {"signature": signature})


def own_key(path: Path | None = None) -> tuple[ReviewKey, bool]:
    """Read this user's key, or make it on first use; the second value says that it is new. Raises RecordingError."""
    path = path or key_path()
    _need_cryptography()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        shared = others_have_access(path)
    except FileNotFoundError:
        return ReviewKey(_new_key(path)), True
    except OSError as error:
        raise RecordingError(f"{path}: the key cannot be read: {error}") from error
    if shared:
        raise RecordingError(
            f"{path}: other users can read this key: chmod 600 it if nobody else has "
            "used it, else delete it, and a new one is made"
        )
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise RecordingError(f"{path}: not a key: {error}; delete it, and a new one is made") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise RecordingError(f"{path}: not an Ed25519 key; delete it, and a new one is made")
    return ReviewKey(key), False


def verify(approval: Approval, recording: Recording) -> None:
    """Check that an approval is of this recording, and its signature. Raises RecordingError with the reason."""
    _need_cryptography()
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    who = f"approval by {approval.reviewer}, {approval.time}"
    if approval.recording != recording.id:
        raise RecordingError(
            f"{who}: it is for recording {approval.recording[:12]}, not for {recording.id[:12]}; approve this one"
        )
    if approval.machine != recording.machine:
        raise RecordingError(f"{who}: it is for machine {approval.machine!r}, not for {recording.machine!r}")
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(approval.public_key))
        key.verify(base64.b64decode(approval.signature), approval.signed_bytes())
    except (InvalidSignature, ValueError) as error:
        raise RecordingError(f"{who}: the signature is wrong: it was changed or forged; approve again") from error


def is_author(reviewer: str, recording: Recording) -> bool:
    """Return whether the reviewer is the author, who must not approve: same user name, on whatever computer."""
    return reviewer.partition("@")[0] == recording.author.partition("@")[0]


def trouble_of(approval: Approval, recording: Recording) -> str:
    """Say why an approval does not count; empty if it does."""
    try:
        verify(approval, recording)
    except RecordingError as error:
        return str(error)
    return "the reviewer is the author" if is_author(approval.reviewer, recording) else ""


def _new_key(path: Path) -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.generate()
    data = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, data)
            os.fsync(descriptor)
        except OSError:
            with suppress(OSError):
                path.unlink()
            raise
        finally:
            os.close(descriptor)
    except OSError as error:
        raise RecordingError(f"{path}: the key cannot be written: {error}") from error
    return key


def _need_cryptography() -> None:
    try:
        import cryptography  # noqa: F401  # whether it is there
    except ImportError as error:
        raise RecordingError(
            "approvals need cryptography, which is not installed: pip install 'gnomon[gate]'"
        ) from error
