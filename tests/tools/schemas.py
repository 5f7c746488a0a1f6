"""Write the JSON schemas of what users write, `python -m tests.tools.schemas`; a test checks for drift."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from gnomon.db.templates import PvDocument
from gnomon.fault_injection import schema as fault_schema
from gnomon.ioc.base.config import Config
from gnomon.lattice import MachineDocument
from gnomon.recorder.bounds import CalibrationDocument
from gnomon.recorder.gating import LimitsDocument
from gnomon.recorder.snapshots import Snapshot
from gnomon.services.forward.forward_messages import message_schema
from gnomon.services.forward.mqtt_requests import request_schemas
from gnomon.testing.scenarios import schema as scenario_schema

ROOT = Path(__file__).parents[2]
#: The JSON schema of each committed file.
SCHEMAS: dict[str, Callable[[], dict[str, Any]]] = {
    "db/schemas/machine.schema.json": partial(MachineDocument.model_json_schema, by_alias=True),
    "db/schemas/pvs.schema.json": partial(PvDocument.model_json_schema, by_alias=True),
    "db/schemas/config.schema.json": partial(Config.model_json_schema, by_alias=True),
    "recorder/schemas/gate_limits.json": partial(LimitsDocument.model_json_schema, by_alias=True),
    "recorder/schemas/calibration.json": partial(CalibrationDocument.model_json_schema, by_alias=True),
    "recorder/schemas/snapshot.json": partial(Snapshot.model_json_schema, by_alias=True),
    "fault_injection/schemas/fault.schema.json": fault_schema,
    "services/schemas/message.json": message_schema,
    "services/schemas/request.json": request_schemas,
    "testing/schemas/scenario.schema.json": scenario_schema,
}


def render(schema: Callable[[], dict[str, Any]]) -> str:
    """The schema of a document as it is committed."""
    return json.dumps(schema(), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    for name, document in SCHEMAS.items():
        (ROOT / name).write_text(render(document), encoding="utf-8")
