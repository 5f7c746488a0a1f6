"""Write the JSON schemas of what users write, `python -m tests.tools.schemas`; a test checks for drift."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from gnomon.db.templates import PvDocument
from gnomon.fault_injection import schema as fault_schema
from gnomon.ioc.base.config import Config
from gnomon.lattice import MachineDocument
from gnomon.recorder.snapshots import Snapshot

ROOT = Path(__file__).parents[2]
#: The JSON schema of each committed file: that of a model, or made by a function.
SCHEMAS: dict[str, type[BaseModel] | Callable[[], dict[str, Any]]] = {
    "db/schemas/machine.schema.json": MachineDocument,
    "db/schemas/pvs.schema.json": PvDocument,
    "db/schemas/config.schema.json": Config,
    "recorder/schemas/snapshot.json": Snapshot,
    "fault_injection/schemas/fault.schema.json": fault_schema,
}


def render(model: type[BaseModel] | Callable[[], dict[str, Any]]) -> str:
    """The schema of a document as it is committed."""
    schema = model.model_json_schema(by_alias=True) if isinstance(model, type) else model()
    return json.dumps(schema, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    for name, document in SCHEMAS.items():
        (ROOT / name).write_text(render(document), encoding="utf-8")
