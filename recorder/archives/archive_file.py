"""Files of archived values, by their content."""

from pathlib import Path

from gnomon.lattice.files import read_bytes
from gnomon.recorder.archives.archive_json import parse_answer_at, parse_history_json
from gnomon.recorder.archives.archive_pb import is_pb, parse_pb
from gnomon.recorder.archives.archive_samples import Archive, ArchiveError

#: Largest files [bytes]: 1.7 million samples of PB (0.5 GB, 12 s), and 0.24 million of JSON, whose objects need more.
MAX_PB_BYTES, MAX_JSON_BYTES = 2**25, 2**24
#: White space before JSON, at most.
MAX_BLANKS = 1000


def read_archive(path: Path) -> Archive:
    """Read a `.pb` file, an answer of `getData.raw`, `getData.json` or `getDataAtTime`. Raises ArchiveError."""
    try:
        data = read_bytes(path, MAX_PB_BYTES + 1)
    except OSError as error:
        raise ArchiveError(f"{path}: cannot be read: {error}") from error
    begin = data[:MAX_BLANKS].lstrip()[:1]
    if begin in (b"[", b"{") and len(data) > MAX_JSON_BYTES:
        raise ArchiveError(
            f"{path}: larger than {MAX_JSON_BYTES / 2**20:g} MiB of JSON; take getData.raw (PB), or a shorter time"
        )
    if len(data) > MAX_PB_BYTES:
        raise ArchiveError(f"{path}: larger than {MAX_PB_BYTES / 2**20:g} MiB; take a shorter time")
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
