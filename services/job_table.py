"""The table of jobs on disk: one small file for each, so that a restart of the services knows what was started."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from gnomon.services.job_documents import Job

#: Largest file of a job [bytes]; longer options are left out of it.
MAX_BYTES = 64 * 2**10


class JobRecord(BaseModel):
    """A job as it is kept: its document, its process, and the key and content of the request that started it."""

    job: Job
    pid: int = 0
    process_start: str = ""
    key: str = ""
    request: str = ""


@dataclass
class JobTable:
    """A folder of records. A folder that cannot be written is an error when a job starts, not later."""

    folder: Path
    max_jobs: int

    def load(self) -> list[JobRecord]:
        """Read all records, the oldest first; files that are not records are passed over."""
        found = []
        for path in sorted(self.folder.glob("*.json")) if self.folder.is_dir() else ():
            try:
                if path.stat().st_size <= MAX_BYTES:
                    found.append(JobRecord.model_validate_json(path.read_bytes()))
            except (OSError, ValidationError):
                continue
        return sorted(found, key=lambda record: record.job.started)

    def save(self, record: JobRecord) -> None:
        """Write a record. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        text = record.model_dump_json()
        if len(text) > MAX_BYTES:
            short: dict[str, Any] = {"options": {}, "summary": [], "message": record.job.message[:1000]}
            text = record.model_copy(update={"job": record.job.model_copy(update=short)}).model_dump_json()
        path = self.folder / f"{record.job.id}.json"
        new = path.with_suffix(".new")
        new.write_text(text)
        os.replace(new, path)

    def drop(self, records: Sequence[JobRecord]) -> None:
        """Remove records."""
        for record in records:
            (self.folder / f"{record.job.id}.json").unlink(missing_ok=True)


def process_start(pid: int) -> str:
    """Return a text that tells a process from a later one with the same number; empty if it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    fields = re.sub(r"^.*\)", "", stat, flags=re.DOTALL).split()
    return "" if fields[0] in ("Z", "X") else fields[19]
