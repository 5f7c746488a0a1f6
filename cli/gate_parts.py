"""Parts of the gate on the command line: limits file, calibration, machine, and the right to write."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gnomon.cli.options import configure
from gnomon.cli.recordings_folder import folder_of, machine_of

if TYPE_CHECKING:
    from gnomon.db.pvs import PvSpec
    from gnomon.lattice import Key, Lattice
    from gnomon.propagator import Propagator
    from gnomon.recorder.bounds import CalibrationDocument, Predictor, Reading
    from gnomon.recorder.calibration_folder import CalibrationFolder
    from gnomon.recorder.gating import Approved, AuditChain, Limits, TokenDesk
    from gnomon.recorder.recordings import Recording, RecordingFile
    from gnomon.recorder.replay_execution import Plan
    from gnomon.recorder.replaying import PlanCommands


#: Name of the audit log, beside the states of replays.
AUDIT = "audit.jsonl"


@dataclass(frozen=True)
class Chosen:
    """Options that choose what is replayed, where, and with which gate."""

    prefix: str
    config: Path | None = None
    machine: str | None = None
    pvs: str | None = None
    recordings: Path | None = None
    limits: Path | None = None
    calibration: str | None = None


@dataclass(frozen=True)
class GateParts:
    """A recording ready for the gate: its plan and commands, limits and predictor, None where there are none.

    `missing` has the parts without which nothing is written, each with the remedy.
    """

    file: "RecordingFile"
    plan: "Plan"
    commands: "PlanCommands"
    start: "Lattice"
    specs: "Sequence[PvSpec]"
    propagate: "Propagator"
    limits: "Limits | None"
    predictor: "Predictor | None"
    missing: tuple[str, ...]

    @property
    def recording(self) -> "Recording":
        """The recording."""
        return self.file.recording


def no_limits(recording: str = "") -> str:
    """Say that there is no limits file, with the remedy, for a `recording` if that is meant."""
    given = "give --limits FILE, or " if recording else ""
    return f"there is no limits file: {given}name one as gate.limits in the configuration"


def no_calibration(chosen: Chosen, start: "Lattice", recording: str = "") -> str:
    """Say why no calibration fits the settings `start`, with the remedy, for a `recording` if that is meant."""
    wanted = f" --for {recording}" if recording else ""
    return f"{_why_none_fits(chosen, start)}: make one with gnomon calibrate measure{wanted}"


def _why_none_fits(chosen: Chosen, start: "Lattice") -> str:
    from gnomon.recorder.bounds import lattice_of, optics_settings

    folder = _calibrations(chosen)
    known = [each for each in folder.all() if each.document_digest == start.ring.digest]
    if not known:
        return f"there is no calibration of this machine in {folder.folder}"
    own = [each for each in known if _is_of(each, chosen.prefix)]
    if not own:
        prefixes = ", ".join(sorted({repr(each.prefix) for each in known}))
        return f"all calibrations of this machine document are of PVs with another prefix than this ({prefixes})"
    here, there = optics_settings(start), optics_settings(lattice_of(start.ring, own[-1].baseline))
    differ = [key for key in here if here[key] != there[key]]
    if not differ:
        return f"no calibration has this optics; the newest, {own[-1].id[:12]}, was made by another version of gnomon"
    (device, name), count = differ[0], len(differ)
    return (
        f"no calibration has this optics; in the newest, {own[-1].id[:12]}, {count} setting{'s' * (count > 1)} differ"
        f"{'s' * (count == 1)}: {device} {name} is {there[differ[0]]} in it, and {here[differ[0]]} here"
    )


def _calibrations(chosen: Chosen) -> "CalibrationFolder":
    from gnomon.recorder.calibration_folder import CalibrationFolder

    return CalibrationFolder(configure(chosen.config).calibrations())


def parts_of(name: str, chosen: Chosen) -> GateParts:
    """Find a recording and all that its replay needs. Raises RecordingError, LimitsError, CalibrationError."""
    from gnomon.ioc.base.machines import pvs_of
    from gnomon.propagator import Propagator
    from gnomon.recorder.recordings import plan_of, start_of
    from gnomon.recorder.replaying import PlanCommands

    settings = configure(chosen.config, machine=chosen.machine, pvs=chosen.pvs)
    file = folder_of(chosen.recordings, chosen.config).find(name)
    loaded = machine_of(file.recording, chosen.config, chosen.machine, chosen.pvs)
    ring = loaded.ring
    propagate = Propagator(ring, settings.model.momentum)
    specs = pvs_of(loaded, chosen.prefix)
    plan = plan_of(file.recording, chosen.prefix, ring, specs, propagate)
    start = start_of(file.recording, ring)
    limits = limits_of(chosen)
    predictor = predictor_of(chosen, start, file.recording.calibration_id)
    missing = [] if limits is not None else [no_limits(file.recording.name)]
    missing += [] if predictor is not None else [no_calibration(chosen, start, file.recording.name)]
    return GateParts(
        file,
        plan,
        PlanCommands(plan, start, specs, family_of),
        start,
        specs,
        propagate,
        limits,
        predictor,
        tuple(missing),
    )


def family_of(lattice: "Lattice", key: "Key") -> str:
    """Find the family of a setting, as calibrations sort held-out commands."""
    from gnomon.recorder.bounds import kind_of

    return kind_of(lattice.ring, (key,))


def limits_of(chosen: Chosen) -> "Limits | None":
    """Read the limits file that the options or the configuration name. Raises LimitsError."""
    from gnomon.recorder.gating import read_limits

    path = chosen.limits or configure(chosen.config).gate.limits
    return None if path is None else read_limits(path, chosen.prefix)


def predictor_of(chosen: Chosen, start: "Lattice", wanted: str) -> "Predictor | None":
    """Make the predictor: of the calibration that is chosen, that of the recording, or the newest that fits.

    A calibration fits if it is of the same machine document and optics, and was not measured at PVs with another
    prefix: a twin has the document of its machine, but not its errors. Raises CalibrationError.
    """
    from gnomon.recorder.bounds import Predictor, optics_digest
    from gnomon.recorder.calibration_folder import read_calibration

    if chosen.calibration is not None and (path := Path(chosen.calibration).expanduser()).is_file():
        return Predictor.of(_of_prefix(read_calibration(path), chosen.prefix), start.ring)
    folder = _calibrations(chosen)
    if name := chosen.calibration or wanted:
        return Predictor.of(_of_prefix(folder.load(name, start.ring.digest), chosen.prefix), start.ring)
    own = start.ring.digest, optics_digest(start)
    found = [
        each for each in folder.all()
        if (each.document_digest, each.optics_digest) == own and _is_of(each, chosen.prefix)
    ]  # fmt: skip
    return Predictor.of(found[-1], start.ring) if found else None


def _is_of(document: "CalibrationDocument", prefix: str) -> bool:
    """Tell whether a calibration is of PVs with a prefix, as far as it knows."""
    return document.prefix in (None, prefix)


def _of_prefix(document: "CalibrationDocument", prefix: str) -> "CalibrationDocument":
    """Return a calibration. Raises CalibrationError if it was measured at PVs with another prefix."""
    from gnomon.recorder import CalibrationError

    if not _is_of(document, prefix):
        raise CalibrationError(
            f"calibration {document.id[:12]} was measured at PVs with the prefix {document.prefix!r}, which is another "
            f"machine than that of {prefix!r}: gnomon calibrate measure --prefix {prefix!r}"
        )
    return document


def reference_of(recording: "Recording", monitors: Sequence[str]) -> "Reading":
    """Make the reading to which limits are relative: the recording's reference orbit, else that of its start."""
    import numpy as np

    from gnomon.recorder.bounds import Reading

    shown = {each.monitor: (each.x, each.y) for each in recording.start.reference or recording.start.orbit}
    orbit = np.array([shown.get(name, (np.nan, np.nan)) for name in monitors])
    tune = np.array(recording.start.tunes or (np.nan, np.nan)) % 1.0
    return Reading(orbit, tune, time.time_ns())


def approved_parts(parts: GateParts) -> "Approved":
    """Make what the gate compares commands with."""
    from gnomon.recorder.bounds import optics_digest
    from gnomon.recorder.gating import approved_of

    start = parts.start
    reference = reference_of(parts.recording, [bpm.name for bpm in start.ring.bpms])
    return approved_of(parts.recording, parts.plan, reference, optics_digest(start))


def desk_of(chosen: Chosen) -> "TokenDesk":
    """Find the desk of one-time tokens."""
    from gnomon.recorder.gating import TokenDesk

    return TokenDesk(configure(chosen.config).arming())


def audit_of(folder: Path) -> "AuditChain":
    """Open the audit log of replays, whose lines are chained by hashes. Raises AuditChainError if it is not intact."""
    from gnomon.recorder.gating import AuditChain

    return AuditChain(folder / AUDIT)
