"""A picture as bytes: shown by a notebook, or saved to a file."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SavedPicture:
    """A PNG of a ring; a notebook shows it where it is the last value of a cell."""

    title: str
    png: bytes = field(repr=False)

    def save(self, path: str | Path) -> Path:
        """Write it to a file, and return its name."""
        file = Path(path)
        file.write_bytes(self.png)
        return file

    def _repr_png_(self) -> bytes:
        return self.png
