"""Archived values of PVs: files and answers of the EPICS Archiver Appliance, as samples in order of time."""

from gnomon.recorder.archives.archive_file import MAX_PB_BYTES, read_archive
from gnomon.recorder.archives.archive_json import parse_answer_at, parse_history_json
from gnomon.recorder.archives.archive_pb import parse_pb
from gnomon.recorder.archives.archive_samples import Archive, ArchiveError, Sample, saved_at

__all__ = [
    "MAX_PB_BYTES",
    "Archive",
    "ArchiveError",
    "Sample",
    "parse_answer_at",
    "parse_history_json",
    "parse_pb",
    "read_archive",
    "saved_at",
]
