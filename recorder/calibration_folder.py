"""The folder of calibrations: one file for each, named by its id, never changed."""

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from gnomon.lattice.files import read_bounded
from gnomon.recorder.bounds import CalibrationDocument, parse_calibration
from gnomon.recorder.recorder_errors import CalibrationError

__all__ = ["NEWEST", "CalibrationFolder", "read_calibration"]

#: Largest file of a calibration that is read [bytes].
MAX_BYTES = 256 * 2**20
#: Number of digits that select a calibration, at least; and the word for the newest one.
MIN_DIGITS, NEWEST = 4, "newest"


def read_calibration(path: Path) -> CalibrationDocument:
    """Read a calibration's file. Raises CalibrationError with the file and the reason."""
    try:
        text = read_bounded(path, MAX_BYTES)
    except (OSError, ValueError) as error:
        raise CalibrationError(f"{path}: {error}") from error
    return parse_calibration(text, str(path))


class CalibrationFolder:
    """A folder with the calibrations of all machines."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, document: CalibrationDocument) -> Path:
        """Write a calibration, whole or not at all; return its file. Raises CalibrationError."""
        path = self.folder / f"{document.id}.json"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(".draft")
            with draft.open("w", encoding="utf-8") as file:
                file.write(document.model_dump_json(indent=1) + "\n")
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError as error:
            raise CalibrationError(f"the calibration was not kept: {path}: {error}") from error
        return path

    def ids(self) -> list[str]:
        """List the ids, in the order of the alphabet."""
        return sorted(path.stem for path in self.folder.glob("*.json")) if self.folder.is_dir() else []

    def all(self) -> Iterator[CalibrationDocument]:
        """Yield all calibrations that can be read, the oldest first."""
        found = []
        for name in self.ids():
            try:
                found.append(read_calibration(self.folder / f"{name}.json"))
            except CalibrationError:
                continue
        yield from sorted(found, key=lambda each: datetime.fromisoformat(each.made))

    def load(self, name: str, document_digest: str = "") -> CalibrationDocument:
        """Load a calibration by the first digits of its id, or the `newest` one, of a machine document if it is given.

        Raises CalibrationError if there is none, or more than one.
        """
        if name == NEWEST:
            known = [each for each in self.all() if document_digest in ("", each.document_digest)]
            if not known:
                raise CalibrationError(f"{self.folder} has no calibration of this machine: gnomon calibrate measure")
            return known[-1]
        found = [each for each in self.ids() if len(name) >= MIN_DIGITS and each.startswith(name)]
        if len(found) != 1:
            are = f"{len(found)} calibrations begin with it" if found else "there is none of that id"
            raise CalibrationError(
                f"calibration {name!r}: {are}; give {MIN_DIGITS} digits or more, `gnomon calibrate list` shows them"
            )
        return read_calibration(self.folder / f"{found[0]}.json")
