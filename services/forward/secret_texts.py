"""Passwords and tokens of downstreams: from a file that its owner alone can read, or from the environment."""

import os
from collections.abc import Mapping
from pathlib import Path

from gnomon.lattice import GnomonError
from gnomon.lattice.files import others_have_access, read_bounded

__all__ = ["SecretError", "read_secret"]

#: Longest secret [bytes].
MAX_BYTES = 4096


class SecretError(GnomonError):
    """A password or token that cannot be used; the text never shows it."""


def read_secret(file: Path | None, variable: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """Read a secret from a file, else from an environment variable; None if there is neither. Raises SecretError."""
    if file is None:
        text, where = environ.get(variable), variable
        if text is None:
            return None
    else:
        where = str(file)
        try:
            if others_have_access(file):
                raise SecretError(f"{file}: others can read this secret; run: chmod 600 {file}")
            text = read_bounded(file, MAX_BYTES)
        except (OSError, UnicodeDecodeError) as error:
            raise SecretError(f"{file}: the secret cannot be read: {error}") from error
    text = text.strip("\r\n")
    if not text or "\n" in text or "\r" in text:
        raise SecretError(f"{where}: a secret is one line that is not empty")
    return text
