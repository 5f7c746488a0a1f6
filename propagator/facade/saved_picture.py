"""A picture as bytes, which a notebook shows and a script can save to a file."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SavedPicture:
    """A PNG of a ring; a notebook shows it if it is the last value of a cell."""

    title: str
    png: bytes = field(repr=False)

    def save(self, path: str | Path) -> Path:
        """Write the picture to a file; return the file's path."""
        file = Path(path)
        file.write_bytes(self.png)
        return file

    def _repr_png_(self) -> bytes:
        return self.png
