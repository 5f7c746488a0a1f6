"""The folder of recordings: one file for each, never changed; approvals and begun recordings beside them.

`NAME.ID.json` is a recording, with the first 12 digits of its id, and `NAME.ID.approval-KEY.json` an approval by the
key of that fingerprint. `NAME.begun` says where a recording began that is not finished yet.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from gnomon.lattice import DocumentError, parse_document
from gnomon.lattice.files import read_bounded
from gnomon.recorder.recorder_errors import RecordingError
from gnomon.recorder.recordings.recording import (
    Approval,
    Moment,
    MonitorPosition,
    Name,
    Part,
    RecordingFile,
    Text,
    Word,
)

#: Largest file of a recording that is read [bytes]: some 100 000 steps fit.
MAX_BYTES = 64 * 2**20
#: Number of digits of an id in a file name, and the smallest one that selects a recording.
SHOWN, MIN_DIGITS = 12, 6

Model = TypeVar("Model", bound=BaseModel)

_FILE = re.compile(r"^(?P<name>.+)\.(?P<id>[0-9a-f]{12})\.json$")


class Begun(Part):
    """A recording that has begun: the journal, and the position in it."""

    name: Name
    purpose: Text
    author: Text
    time: Moment
    journal: str
    prefix: Word
    run: int
    after: int  # number of the last command before it
    calibration_id: Word
    reference: tuple[MonitorPosition, ...]


def read_recording_file(path: Path) -> RecordingFile:
    """Read a file with a recording and its approvals. Raises RecordingError with file, place, reason and remedy."""
    return _read(path, RecordingFile, "get the file again from whoever exported it")


class RecordingFolder:
    """The recordings of a folder, which is made when the first one is added."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def all(self) -> tuple[RecordingFile, ...]:
        """Read all recordings with their approvals, the oldest first. Raises RecordingError."""
        found = [self._load(path) for path, _, _ in self._files()]
        return tuple(sorted(found, key=lambda file: (file.recording.made, file.recording.name)))

    def find(self, text: str) -> RecordingFile:
        """Find a recording by its name, or by its id or at least 6 of its first digits. Raises RecordingError."""
        files = list(self._files())
        fits = [path for path, name, _ in files if name == text]
        if not fits and len(text) >= MIN_DIGITS:
            fits = [path for path, _, start in files if start.startswith(text[:SHOWN])]
        loaded = [
            file for path in fits if text in ((file := self._load(path)).recording.name, file.recording.id[: len(text)])
        ]
        if len(loaded) == 1:
            return loaded[0]
        if loaded:
            several = ", ".join(f"{file.recording.name} ({file.recording.id[:SHOWN]})" for file in loaded)
            raise RecordingError(f"{text!r} fits several recordings: {several}; give more digits of the id")
        names = ", ".join(name for _, name, _ in files[:20]) or "none"
        raise RecordingError(f"there is no recording {text!r} in {self.path}; it has {names}")

    def is_free(self, name: str) -> bool:
        """Return whether no recording, finished or begun, has this name."""
        return not self._begun(name).exists() and all(name != known for _, known, _ in self._files())

    def free_name(self, name: str) -> str:
        """Find a name for another version of a recording: `bump-2` after `bump`."""
        stem = re.sub(r"-\d+$", "", name)[:50]
        return next(tried for number in range(2, 10_000) if self.is_free(tried := f"{stem}-{number}"))

    def add(self, file: RecordingFile) -> Path:
        """Keep a recording with its approvals. Raises RecordingError if another one has its name."""
        recording = file.recording
        for path, name, start in self._files():
            if recording.id.startswith(start) and self._load(path).recording.id == recording.id:
                if name != recording.name:
                    break
                for approval in file.approvals:
                    self.approve(approval)
                return path
            if name == recording.name:
                raise RecordingError(f"there is another recording {name!r} ({start}); choose another name")
        path = self.path / f"{recording.name}.{recording.id[:SHOWN]}.json"
        self._write(path, RecordingFile(recording=recording))
        for approval in file.approvals:
            self.approve(approval)
        return path

    def approve(self, approval: Approval) -> Path:
        """Keep an approval beside its recording; the newest one by a key counts. Raises RecordingError."""
        from gnomon.recorder.recordings.approvals import fingerprint

        of = self.find(approval.recording).recording
        if of.machine != approval.machine:
            raise RecordingError(f"the approval is for machine {approval.machine!r}, {of.name!r} is of {of.machine!r}")
        name = f"{of.name}.{of.id[:SHOWN]}.approval-{fingerprint(approval.public_key)}.json"
        path = self.path / name
        path.unlink(missing_ok=True)
        self._write(path, approval)
        return path

    def begin(self, begun: Begun) -> None:
        """Keep the place where a recording began. Raises RecordingError if the name is taken."""
        if not self.is_free(begun.name):
            raise RecordingError(
                f"there is a recording {begun.name!r} already, or one has begun: choose another name, or finish it "
                "with gnomon record stop"
            )
        self._write(self._begun(begun.name), begun)

    def begun(self) -> tuple[Begun, ...]:
        """List the recordings that have begun and are not finished."""
        paths = sorted(self.path.glob("*.begun")) if self.path.is_dir() else []
        return tuple(_read(path, Begun, "delete it, and start again") for path in paths)

    def forget(self, name: str) -> None:
        """Forget that a recording has begun."""
        self._begun(name).unlink(missing_ok=True)

    def _begun(self, name: str) -> Path:
        return self.path / f"{name}.begun"

    def _files(self) -> Iterator[tuple[Path, str, str]]:
        """List the files of recordings: path, name, beginning of the id."""
        for path in sorted(self.path.glob("*.json")) if self.path.is_dir() else ():
            if (match := _FILE.match(path.name)) is not None:
                yield path, match["name"], match["id"]

    def _load(self, path: Path) -> RecordingFile:
        file = _read(path, RecordingFile, "it was changed after it was recorded; import it again")
        own = f"{file.recording.name}.{file.recording.id[:SHOWN]}"
        if path.name != f"{own}.json":
            raise RecordingError(f"{path}: holds the recording {own}: give the file that name back")
        beside = sorted(self.path.glob(f"{own}.approval-*.json"))
        approvals = [_read(each, Approval, "delete it, and approve again") for each in beside]
        kept = {(a.public_key, a.recording): a for a in (*file.approvals, *approvals)}
        return RecordingFile(recording=file.recording, approvals=tuple(kept.values()))

    def _write(self, path: Path, document: BaseModel) -> None:
        """Write a file that must not exist yet, so that it is there as a whole and durable, or not at all."""
        data = (json.dumps(document.model_dump(by_alias=True, mode="json"), indent=1) + "\n").encode()
        beginning = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(beginning, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                os.link(beginning, path)
            finally:
                beginning.unlink(missing_ok=True)
        except FileExistsError as error:
            raise RecordingError(f"{path}: exists already; choose another name") from error
        except OSError as error:
            raise RecordingError(f"{path}: cannot be written: {error}") from error


def _read(path: Path, model: type[Model], remedy: str) -> Model:
    try:
        return parse_document(model, read_bounded(path, MAX_BYTES), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise RecordingError(f"{path}: cannot be read: {error}") from error
    except DocumentError as error:
        raise RecordingError(f"{error}; {remedy}") from error
