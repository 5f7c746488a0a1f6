"""Names of things on panels: short names for what everybody knows, else the description or the PV."""

import re

from gnomon.db.pvs import PvSpec
from gnomon.db.sources import SOURCES

#: Short names of settings of the machine as a whole, by device and property; other PVs have that of their source.
SETTINGS = {
    ("rf", "frequency"): "RF frequency",
    ("rf", "voltage"): "Cavity voltage",
    ("ring", "energy"): "Beam energy",
    ("ring", "optics"): "Optics",
    ("feedback_x", "state"): "Horizontal feedback",
    ("feedback_y", "state"): "Vertical feedback",
    ("feedback_z", "state"): "Longitudinal feedback",
}

#: Titles of the status panel's cards, by the first word of a source.
STATUS = {"status": "Server", "control": "Switches", "model": "Model", "faults": "Faults", "recorder": "Journal"}


def brief(spec: PvSpec, longest: int = 24) -> str:
    """Label of a PV on a panel: a short name, its description where that is short, or the end of its name."""
    source = SOURCES.get(spec.source)  # procedures have PVs without one
    if source is not None and source.label:
        return source.label
    text = re.split(r"[;,:(]", spec.description)[0].strip()
    if len(text) <= longest:
        return text[:1].upper() + text[1:]
    return ":".join(spec.name.split(":")[-2:])[-longest:]
