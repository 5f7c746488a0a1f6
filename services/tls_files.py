"""Certificate and key for HTTPS: checked before anything listens, with the reason in words."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from gnomon.lattice import GnomonError
from gnomon.lattice.files import others_have_access

__all__ = ["TlsError", "TlsFiles", "find_tls"]


class TlsError(GnomonError):
    """A certificate or key that cannot be used; the text has the file and the reason."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """A certificate, and its private key, which may be in the same file."""

    certificate: Path
    key: Path


def find_tls(certificate: Path | None, key: Path | None) -> TlsFiles | None:
    """Check the files of the configuration; None if there is no certificate. Raises TlsError."""
    if certificate is None:
        if key is not None:
            raise TlsError(f"services.key: {key} has no certificate; give services.certificate too")
        return None
    found = TlsFiles(certificate, certificate if key is None else key)
    try:
        if others_have_access(found.key):
            raise TlsError(f"{found.key}: others can read this key; run: chmod 600 {found.key}")
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(found.certificate, found.key, lambda: "")
    except OSError as error:  # of the file, or of what is in it: ssl.SSLError is one, too
        raise TlsError(f"{certificate} and {found.key}: not a certificate and its key: {error}") from error
    return found
