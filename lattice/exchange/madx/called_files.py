"""Files that `call` names: beside the main file or beside the one that calls, regular, and not too large."""

from pathlib import Path

from gnomon.lattice.exchange.madx.madx_error import MadxError
from gnomon.lattice.exchange.madx.source import Source
from gnomon.lattice.files import read_bytes
from gnomon.lattice.text import shorten

#: All text of a lattice [bytes].
MAX_BYTES = 50_000_000


class Files:
    """Reader of the texts of one lattice, which counts their bytes."""

    def __init__(self) -> None:
        self._bytes = 0

    def read(self, file: Path, name: str, place: str | None = None) -> Source:
        """Read a file as a source that is called `name` in messages. Raises MadxError."""
        at = place or name
        try:
            if not file.is_file():
                raise MadxError(at, f"there is no file {shorten(str(file), 200)}")
            self._bytes += file.stat().st_size
            if self._bytes > MAX_BYTES:
                what = f"{self._bytes} bytes of text with {shorten(str(file), 200)}"
                raise MadxError(at, f"{what}; the limit for madx, called files included, is {MAX_BYTES} bytes")
            content = read_bytes(file, MAX_BYTES)
        except (OSError, ValueError) as error:
            raise MadxError(at, f"{shorten(str(file), 200)} cannot be read: {error}") from error
        if b"\0" in content:
            raise MadxError(name, "not MAD-X: a binary file")
        return Source(name, content.decode("utf-8-sig", errors="replace"))

    def called(self, wanted: str, folders: list[Path], place: str) -> tuple[Source, Path]:
        """The file of a `call`, looked for in folders, and its own folder. Raises MadxError."""
        try:
            there = next((folder / wanted for folder in folders if (folder / wanted).is_file()), None)
        except (OSError, ValueError):
            there = None
        if there is None:
            searched = " and ".join(dict.fromkeys(shorten(str(folder), 200) for folder in folders))
            raise MadxError(place, f"call: there is no file {shorten(wanted, 200)} in {searched}")
        return self.read(there, there.name, place), there.parent
