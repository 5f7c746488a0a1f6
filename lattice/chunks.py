"""Chunks: the settings of a lattice version as they are stored, shared and hashed, a few at a time."""

import hashlib

import numpy as np
from numpy.typing import NDArray

#: Settings that are stored, shared and hashed together.
CHUNK = 64

Chunk = NDArray[np.float64]


def split(settings: NDArray[np.float64]) -> tuple[Chunk, ...]:
    """Settings by their slots as chunks. Slots that nothing uses are NaN, stand at a chunk's end and are left out."""
    parts = (settings[i : i + CHUNK] for i in range(0, len(settings), CHUNK))
    return tuple(frozen(part[~np.isnan(part)]) for part in parts)


def frozen(chunk: Chunk) -> Chunk:
    """A copy that cannot be written to, of the same bytes on every machine."""
    chunk = np.array(chunk, dtype="<f8")
    chunk.flags.writeable = False
    return chunk


def digest(chunk: Chunk) -> bytes:
    """Name of a chunk's content."""
    return hashlib.blake2b(chunk.tobytes(), digest_size=8).digest()
