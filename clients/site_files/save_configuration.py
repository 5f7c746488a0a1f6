"""A configuration of Phoebus' save-and-restore: the setpoints that make a machine, each with its readback.

Format: the JSON body of `PUT /config?parentNodeId=...`: `configurationNode` and `configurationData` with a `pvList`.
"""

import json
from typing import Any

from gnomon.clients.machine_pvs import MachinePvs, SettingPvs

__all__ = ["save_set"]


def save_set(pvs: MachinePvs, name: str, user: str) -> tuple[str, int]:
    """Write the configuration (JSON) and count its PVs.

    Setpoints that follow from others are left out, since the order of a restore is not fixed there: strengths of
    magnets follow their currents, and an optics sets many currents at once.
    """
    rows = [_row(setting) for setting in pvs.independent]
    document = {
        "configurationNode": {
            "name": name,
            "description": f"setpoints of {pvs.ring.name}, written by gnomon export save-restore",
            "nodeType": "CONFIGURATION",
            "userName": user,
        },
        "configurationData": {"pvList": rows},
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n", len(rows)


def _row(setting: SettingPvs) -> dict[str, Any]:
    row: dict[str, Any] = {"pvName": setting.setpoint.name, "readOnly": False}
    if setting.readback.name != setting.setpoint.name:
        row["readbackPvName"] = setting.readback.name
    if setting.tolerance:
        row["comparison"] = {"comparisonMode": "ABSOLUTE", "tolerance": float(f"{setting.tolerance:.6g}")}
    return row
