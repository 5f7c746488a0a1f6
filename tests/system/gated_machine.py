"""A machine with hidden errors, a shadow of it, a calibration of its true model, and recordings that are replayed."""

import json
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from conftest import EpicsPorts, free_port
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray
from p4p.client.thread import Context

import gnomon
from gnomon.db import expand, pv_document, read_pvs, shipped_machine
from gnomon.lattice import Key, Lattice
from gnomon.propagator import Propagator
from gnomon.recorder.bounds import MeasuredChange, Noise, calibrate
from gnomon.recorder.calibration_folder import CalibrationFolder
from gnomon.recorder.gating import TokenDesk, arm
from gnomon.recorder.recordings import Recording, RecordingContent, RecordingFile, RecordingFolder, ReviewKey, seal
from system.twin_process import GNOMON, TwinProcess
from unit.recorder.recordings.samples import make_recording

NOISE_MM, NOISE_TUNE = 1.5e-3, 2e-5
STEERERS_X = ("HS3P2K1RP", "HS1P2K1RP", "HS3P1L2RP", "HS3P2L2RP", "HS1P1K3RP")
STEERERS_Y = ("VS3P2K1RP", "VS2P2K1RP", "VS2P1L2RP", "VS3P1L2RP", "VS3P2L2RP")
QUADRUPOLES = ("Q1P1K1RP", "Q1P2K1RP", "Q2P1L2RP", "Q3P1L4RP")
#: Longest step that is made in one part [A].
STEP = {**dict.fromkeys((*STEERERS_X, *STEERERS_Y), 0.05), **dict.fromkeys(QUADRUPOLES, 0.05)}

CONFIG = """
machine: mls
prefix: "M:"
role: machine
publish: {repeat_hz: 20.0}
imperfections:
  supplies: {ramp_s: 0.0, steerer_ramp_s: 0.0, lag_s: 0.0, remanence: 0.0}
  tune_meter: {period_s: 0.1}
  drifts: {tide: 0.0, temperature: 0.0}
"""

LIMITS = """
schema: gnomon.gate_limits/1
machine: mls
note: of tests
fresh: {max_age_s: 30.0, max_skew_s: 10.0, max_severity: minor}
baseline: {share: 5.0e-5, orbit_mm: not checked, tune: not checked}
orbit:
  {x_mm: 2.0, y_mm: 2.0, rms_x_mm: not checked, rms_y_mm: not checked, absolute_x_mm: 8.0, absolute_y_mm: 8.0,
   max_dead_monitors: 2}
sources: {x_mm: not checked, y_mm: not checked, angle_x_mrad: not checked, angle_y_mrad: not checked}
tunes:
  max_change: 0.05
  lines:
    - {x: 1, y: 0, half_width: 0.005}
    - {x: 0, y: 1, half_width: 0.005}
    - {x: 2, y: 0, half_width: 0.005}
    - {x: 0, y: 2, half_width: 0.005}
optics:
  beta_beating_percent: not checked
  dispersion_m: {x: not checked, y: not checked}
  chromaticity: {x: not checked, y: not checked}
  coupling: not checked
aperture_mm: not checked
beam: {min_current_ma: 1.0, max_current_drop: 0.2, min_lifetime_h: not checked, max_lifetime_drop: not checked}
bounds: {coverage: 0.95, ramp_points: 1, second_tier_step: 1.0, second_tier_distance: 0.0, agreement: 1.0}
trust_region: {start: 0.5, smallest: 0.05, grow_after: 1}
outcome: {near_miss: 1.0, stop_band: 3.0, cusum_slack: 2.0, cusum_alarm: 60.0}
settings:
  - {pvs: ["HS*:setCur", "VS*:setCur"], unit: A, low: -5.0, high: 5.0, max_step: 0.05, max_rate: 100.0, max_total: 1.0}
  - {pvs: ["Q?P*:setCur"], unit: A, low: -200.0, high: 200.0, max_step: 0.05, max_rate: 100.0, max_total: 2.0}
"""


class GatedMachine:
    """The machine's process, and all that a replay of a recording to it needs."""

    def __init__(self, process: TwinProcess, ports: EpicsPorts, folder: Path) -> None:
        self.process = process
        self.folder = folder
        self.ring = shipped_machine("mls")
        addresses = {"EPICS_PVA_ADDR_LIST": f"127.0.0.1:{ports.pva_udp}", "EPICS_PVA_AUTO_ADDR_LIST": "NO"}
        self.client = Context("pva", conf=addresses, useenv=False)
        self.recordings = RecordingFolder(folder / "recordings")
        (folder / "client.yaml").write_text(
            f"machine: mls\nrecorder: {{journal: {folder}/client.journal}}\ngate: {{limits: limits.yaml}}\n"
        )
        (folder / "limits.yaml").write_text(LIMITS)

    def get(self, *names: str) -> list[Any]:
        found: list[Any] = self.client.get([f"M:{name}" for name in names], timeout=60.0)
        return found

    def put(self, name: str, value: float) -> None:
        self.client.put(f"M:{name}", value, timeout=60.0)

    def fault(self, kind: str, device: str, **keys: Any) -> None:
        done = self.process.gnomon(
            "fault", "add", kind, device, *(f"{k}={v}" for k, v in keys.items()), "--prefix", "M:"
        )
        assert done.returncode == 0, done.stderr

    def clear(self) -> None:
        self.client.put("M:dt:faults:clear", 1, timeout=60.0)

    def lattice(self) -> Lattice:
        """The document's lattice at the machine's settings."""
        pvs = {
            (s.device, s.property): s
            for s in expand(read_pvs("mls", pv_document), self.ring, "")
            if s.source == "set" and s.property in ("current", "frequency", "voltage")
        }
        values = self.get(*(s.name for s in pvs.values()))
        settings = {key: float(value) / s.scale for (key, s), value in zip(pvs.items(), values, strict=True)}
        nominal = self.ring.nominal
        return nominal.updated({key: value for key, value in settings.items() if value != nominal[key]})

    def setpoints(self, names: Sequence[str]) -> list[float]:
        return [float(value) for value in self.get(*(f"{name}:setCur" for name in names))]

    def orbit(self) -> NDArray[np.float64]:
        names = [f"{bpm.name}:rd{plane}" for bpm in self.ring.bpms for plane in "XY"]
        return np.array([float(value) for value in self.get(*names)]).reshape(-1, 2)

    def calibrate(self) -> None:
        """Calibrate with the true model, in this process: what takes the beam an hour takes it a second."""
        done = self.process.gnomon("machine", "truth", "--document", str(self.folder / "true.json"))
        assert done.returncode == 0, done.stderr
        present = self.lattice()
        currents = {supply.name: present[supply.name, "current"] for supply in self.ring.document.supplies}
        true = gnomon.ring(self.folder / "true.json").set(currents).lattice
        propagate, random = Propagator(true.ring), np.random.default_rng(1)
        places = list(true.ring.monitors)

        def readings(changes: Mapping[Key, float]) -> NDArray[np.float64]:
            beam = propagate(true.updated(changes))
            assert beam.found
            orbit = 1e3 * beam.orbit[places][:, [0, 2]]
            rows = np.concatenate((orbit[:, 0], orbit[:, 1], beam.tune % 1.0))
            noise = np.full(rows.size, NOISE_MM)
            noise[-2:] = NOISE_TUNE
            return rows + noise * random.standard_normal(rows.size)

        def change(names: Sequence[str], largest: float = 1.0, smallest: float = 0.2) -> MeasuredChange:
            name = str(random.choice(names))
            step = STEP[name] * random.uniform(smallest, largest) * random.choice((-1.0, 1.0))
            changes: dict[Key, float] = {(name, "current"): true[name, "current"] + step}
            return MeasuredChange(changes, readings(changes) - readings({}), {})

        m = len(self.ring.bpms)
        document = calibrate(
            self.ring.nominal, present, Noise(np.full((m, 2), NOISE_MM), np.full(2, NOISE_TUNE)),
            [change([name], 1.0, 1.0) for name in (*STEERERS_X, *STEERERS_Y, *QUADRUPOLES)],
            [change(names) for names in (STEERERS_X, STEERERS_Y, QUADRUPOLES) for _ in range(60)],
            made=time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()), author="tests", min_per_bin=30,
        )  # fmt: skip
        CalibrationFolder(self.folder / "calibrations").save(document)

    def recording(self, name: str, *steps: tuple[str, float]) -> Recording:
        """A recording that starts at the machine's settings, approved: steps are devices, and changes of currents."""
        start = self.lattice()
        at: dict[str, float] = {}
        asked = []
        for device, by in steps:
            at[device] = at.get(device, start[device, "current"]) + by
            asked.append((device, "current", at[device]))
        made = make_recording(self.ring, *asked, start=start, name=name)
        orbit = [
            {"monitor": b.name, "x": x, "y": y} for b, (x, y) in zip(self.ring.bpms, self.orbit().tolist(), strict=True)
        ]
        tunes = [float(value) for value in self.get("beam:twiss:x:tune", "beam:twiss:y:tune")]
        fields = made.model_dump(by_alias=True, exclude={"id"})
        fields["start"] |= {"orbit": orbit, "tunes": tunes}
        return self.keep(seal(RecordingContent.model_validate(fields)))

    def keep(self, recording: Recording) -> Recording:
        self.recordings.add(RecordingFile(recording=recording))
        approval = ReviewKey(Ed25519PrivateKey.generate()).approve(recording, "bob@office", time.time_ns())
        self.recordings.approve(approval)
        return recording

    def start_replay(self, name: str) -> "subprocess.Popen[str]":
        token = arm(TokenDesk(self.folder / "arming"), self.recordings.find(name), "M:")
        return self.popen(name, "--prefix", "M:", "--arm", "--token", token)

    def popen(self, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [*GNOMON, "replay", *words, "--config", str(self.folder / "client.yaml"), "--timeout", "5",
             "--settle", "5"],
            env=self.process.environment | {"PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def replay(self, name: str) -> tuple[int, str]:
        process = self.start_replay(name)
        said = process.communicate(timeout=240.0)[0]
        return process.returncode, said

    def report(self) -> dict[str, Any]:
        newest = max((self.folder / "replays").glob("*.report.json"), key=lambda path: path.stat().st_mtime)
        found: dict[str, Any] = json.loads(newest.read_text())
        return found


@contextmanager
def gated_machine(folder: Path) -> Iterator[GatedMachine]:
    ports = EpicsPorts(free_port(), free_port(), free_port())
    (folder / "machine.yaml").write_text(CONFIG)
    with TwinProcess(ports.environment, folder, "--config", str(folder / "machine.yaml")) as process:
        machine = GatedMachine(process, ports, folder)
        try:
            yield machine
        finally:
            machine.client.close()
