"""The PVs as entries of ChannelFinder: three payloads that are put to `/properties`, `/tags` and `/channels`.

Format: lists of objects with `name` and `owner`; a channel has `properties` (with `value`, a text) and `tags`, which
the directory must know beforehand.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from gnomon.clients.site_files.archiving_policy import policy_of
from gnomon.db import sources
from gnomon.db.pvs import PvSpec
from gnomon.db.sources import is_control

__all__ = ["channel_directory"]

#: Names that reccaster and the processor for the Archiver Appliance use, too: they come first.
PROPERTIES = (
    "iocName",
    "recordType",
    "recordDesc",
    "archive",
    "machine",
    "source",
    "device",
    "property",
    "engineeringUnit",
    "driveLow",
    "driveHigh",
)
TAGS = ("gnomon", "setpoint", "readback", "control", "reading")


def channel_directory(specs: Iterable[PvSpec], machine: str, owner: str) -> Mapping[str, str]:
    """Write the payloads, by the last part of the address at which each is put, in the order to put them."""
    channels = [_channel(spec, machine, owner) for spec in specs]
    return {
        "properties": _text([{"name": name, "owner": owner} for name in PROPERTIES]),
        "tags": _text([{"name": name, "owner": owner} for name in TAGS]),
        "channels": _text(channels),
    }


def _channel(spec: PvSpec, machine: str, owner: str) -> dict[str, Any]:
    policy = policy_of(spec)
    values = {
        "iocName": "gnomon",
        "recordType": spec.record_type,
        "recordDesc": spec.description,
        "archive": policy.short if policy is not None else "",
        "machine": machine,
        "source": spec.source,
        "device": spec.device,
        "property": spec.property,
        "engineeringUnit": spec.unit,
        "driveLow": f"{spec.drive[0]:.10g}" if spec.drive else "",
        "driveHigh": f"{spec.drive[1]:.10g}" if spec.drive else "",
    }
    return {
        "name": spec.name,
        "owner": owner,
        "properties": [{"name": name, "owner": owner, "value": values[name]} for name in PROPERTIES if values[name]],
        "tags": [{"name": name, "owner": owner} for name in ("gnomon", _tag(spec))],
    }


def _tag(spec: PvSpec) -> str:
    if spec.source == sources.READBACK.name:
        return "readback"
    if is_control(spec.source):
        return "control"
    return "setpoint" if spec.writable else "reading"


def _text(rows: list[dict[str, Any]]) -> str:
    return "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n"
