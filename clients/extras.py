"""Libraries that only some clients need, in extras of gnomon."""

from collections.abc import Iterator
from contextlib import contextmanager

from gnomon.clients.errors import ClientError

__all__ = ["needs_bluesky"]


@contextmanager
def needs_bluesky(what: str) -> Iterator[None]:
    """Say which extra is missing when an import within the context fails. Raises ClientError."""
    try:
        yield
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in ("bluesky", "ophyd", "ophyd_async", "aioca", "event_model", "happi"):
            raise
        raise ClientError(f"{what} needs {missing}, which is not installed: pip install 'gnomon[bluesky]'") from error
