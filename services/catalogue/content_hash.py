"""The hash that the identifier of a kept file must have, computed again from its content."""

import json
from pathlib import Path

from gnomon.db.store import canonical_json, digest_of
from gnomon.lattice import Ring, parse_machine
from gnomon.lattice.files import read_bounded
from gnomon.procedures.nexus import read_run
from gnomon.propagator.studies import read_study
from gnomon.recorder.calibration_folder import read_calibration
from gnomon.recorder.recordings import read_recording_file

__all__ = ["content_hash"]


def content_hash(path: Path, kind: str) -> str:
    """Compute the hash of a file by its kind, 64 hex digits. Raises what its reader raises."""
    match kind:
        case "result":
            return read_run(path).digest
        case "study":
            return str(read_study(path)["identifier"]).rpartition("/")[2]
        case "recording":
            return read_recording_file(path).recording.id
        case "calibration":
            return read_calibration(path).id
        case "machine":
            return Ring(parse_machine(read_bounded(path), str(path))).digest
        case _:
            return digest_of(canonical_json(dict(json.loads(read_bounded(path)))))
