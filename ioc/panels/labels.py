"""Names of things on panels: short names for what everybody knows, else the description or the PV."""

import re

from gnomon.db.pvs import PvSpec

#: Short names of what everybody knows; all else is called by its description, or by its PV where that is long.
SHORT = {
    "beam.found": "Stable beam",
    "beam.reason": "Reason",
    "tune.x": "Horizontal tune",
    "tune.y": "Vertical tune",
    "tune.fraction.x": "Horizontal, fraction",
    "tune.fraction.y": "Vertical, fraction",
    "tune.frequency.x": "Horizontal frequency",
    "tune.frequency.y": "Vertical frequency",
    "beam.lifetime.10s": "Lifetime over 10 s",
    "beam.lifetime.100s": "Lifetime over 100 s",
    "beam.current.lifetime": "Current x lifetime",
    "multiplexer.name": "Connected",
    "multiplexer.healthy": "Supply",
    "chromaticity.x": "Horizontal chromaticity",
    "chromaticity.y": "Vertical chromaticity",
    "orbit.difference.rms.x": "Rms difference x",
    "orbit.difference.rms.y": "Rms difference y",
    "orbit.difference.largest.x": "Largest difference x",
    "orbit.difference.largest.y": "Largest difference y",
    "orbit.difference.where.x": "  at monitor",
    "orbit.difference.where.y": "  at monitor",
    "control.reference.save": "Save present orbit as",
    "control.reference.use": "Compare with",
    "reference.saved": "Saved",
    "model.generation": "Generation",
    "model.command": "Last command shown",
    "model.time": "Time of last result",
    "model.computing": "Result under way",
    "lattice.id": "Lattice",
    "faults.count": "Faults injected",
    "faults.active": "  which",
    "reference.names": "There are",
    "recorder.state": "Journal",
    "control.active": "Model",
    "control.mode": "Mode",
    "machine.role": "Role",
    "machine.connected": "Machine",
    "machine.reason": "  what is missing",
    "machine.pvs": "PVs connected",
    "machine.refused": "Setpoints not followed",
    "machine.age": "Age of newest reading",
    "residual.rms.x": "Rms residual x",
    "residual.rms.y": "Rms residual y",
    "residual.largest.x": "Largest residual x",
    "residual.largest.y": "Largest residual y",
    "residual.where.x": "  at monitor",
    "residual.where.y": "  at monitor",
    "residual.z.largest.x": "Most deviations x",
    "residual.z.largest.y": "Most deviations y",
    "residual.tune.x": "Residual of tune x",
    "residual.tune.y": "Residual of tune y",
    "residual.tune.z.x": "  in deviations",
    "residual.tune.z.y": "  in deviations",
    "status.heartbeat": "Heartbeat",
    "status.uptime": "Up time",
    "status.started": "Started",
    "status.version": "Version",
    "status.host": "Computer",
    "status.process": "Process",
    "status.memory": "Memory",
    "status.queue": "Commands waiting",
    "status.put.p50": "Put, half within",
    "status.put.p99": "Put, 99 % within",
    "status.model.p50": "Model, half within",
    "status.model.p99": "Model, 99 % within",
    "status.model.hung": "Computations hung",
    "status.ca.clients": "CA clients",
    "status.pva.clients": "PVA clients",
    "status.pva.channels": "PVA channels",
    "status.journal.path": "Journal file",
    "status.journal.size": "Journal size",
    "status.journal.last": "Last command in journal",
}

#: The same for settings of the machine as a whole, by device and property.
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
    if spec.source in SHORT:
        return SHORT[spec.source]
    text = re.split(r"[;,:(]", spec.description)[0].strip()
    if len(text) <= longest:
        return text[:1].upper() + text[1:]
    return ":".join(spec.name.split(":")[-2:])[-longest:]
