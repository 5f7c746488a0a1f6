"""Write the JSON schemas of what users write, `python -m tests.tools.schemas`; a test checks for drift."""

import json
from pathlib import Path

from pydantic import BaseModel

from gnomon.db.templates import PvDocument
from gnomon.ioc.base.config import Config
from gnomon.lattice import MachineDocument
from gnomon.recorder.snapshots import Snapshot

ROOT = Path(__file__).parents[2]
SCHEMAS: dict[str, type[BaseModel]] = {
    "db/schemas/machine.schema.json": MachineDocument,
    "db/schemas/pvs.schema.json": PvDocument,
    "db/schemas/config.schema.json": Config,
    "recorder/schemas/snapshot.json": Snapshot,
}


def render(model: type[BaseModel]) -> str:
    """The schema of a document as it is committed."""
    return json.dumps(model.model_json_schema(by_alias=True), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    for name, document in SCHEMAS.items():
        (ROOT / name).write_text(render(document), encoding="utf-8")
