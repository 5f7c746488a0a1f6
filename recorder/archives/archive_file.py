"""Files of archived values, by their content."""

from pathlib import Path

from gnomon.lattice.files import read_bytes
from gnomon.recorder.archives.archive_json import parse_answer_at, parse_history_json
from gnomon.recorder.archives.archive_pb import is_pb, parse_pb
from gnomon.recorder.archives.archive_samples import Archive, ArchiveError

#: Largest file [bytes]: about ten million samples of numbers.
MAX_ARCHIVE_BYTES = 2**28


def read_archive(path: Path) -> Archive:
    """Read a `.pb` file, an answer of `getData.raw`, `getData.json` or `getDataAtTime`. Raises ArchiveError."""
    try:
        data = read_bytes(path, MAX_ARCHIVE_BYTES + 1)
    except OSError as error:
        raise ArchiveError(f"{path}: cannot be read: {error}") from error
    if len(data) > MAX_ARCHIVE_BYTES:
        raise ArchiveError(f"{path}: larger than {MAX_ARCHIVE_BYTES / 2**20:g} MiB; take a shorter time")
    begin = data.lstrip()[:1]
    try:
        if begin == b"[":
            return parse_history_json(data)
        if begin == b"{":
            return parse_answer_at(data)
        if is_pb(data):
            return parse_pb(data)
    except ArchiveError as error:
        raise ArchiveError(f"{path}: {error}") from error
    raise ArchiveError(f"{path}: neither PB nor JSON of the Archiver Appliance")
