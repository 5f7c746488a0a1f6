"""A machine with hidden errors, a shadow of it, a calibration of its true model, and recordings that are replayed."""

import json
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from conftest import EpicsPorts, free_port
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray
from p4p import Type, Value
from p4p.client.thread import RemoteError
from patience import PATIENCE_S, wait_for

import gnomon
from gnomon.db import expand, pv_document, read_pvs, shipped_machine
from gnomon.lattice import Key, Lattice
from gnomon.propagator import Propagator
from gnomon.recorder.bounds import MeasuredChange, Noise, calibrate
from gnomon.recorder.calibration_folder import CalibrationFolder
from gnomon.recorder.gating import TokenDesk, arm, read_limits
from gnomon.recorder.recordings import Recording, RecordingContent, RecordingFile, RecordingFolder, ReviewKey, seal
from programs.running import command
from system.test_shadow import client_of
from system.twin_process import GNOMON, READY_S, TwinProcess
from unit.recorder.recordings.samples import make_recording
from unit.recorder.replaying.limits_for_mls import limits_text

NOISE_MM, NOISE_TUNE = 1.5e-3, 2e-5
#: Longest step that is made in one part, of steerers and of quadrupoles [A].
STEERER, QUADRUPOLE = 0.2, 0.8
PATTERNS = {"HS": STEERER, "VS": STEERER, "Q": QUADRUPOLE}

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

SHADOW = """
machine: mls
prefix: "S:"
role: shadow
shadow:
  {{protocol: pva, addresses: ["127.0.0.1:{port}"], prefix: "M:", calibration: newest, coverage: 0.95, settle_s: 0.1}}
"""

#: Options of replays: waits that only a machine that is away reaches.
PATIENT = ("--timeout", "5", "--settle", "5")

#: The limits of the machine: wide ones, for replays are what is tested here.
LIMITS = limits_text(
    {
        "fresh": {"max_skew_s": 10.0},
        "baseline": {"orbit_mm": "not checked", "tune": "not checked"},
        "orbit": {"x_mm": 2.0, "y_mm": 2.0, "absolute_x_mm": 8.0, "absolute_y_mm": 8.0},
        "tunes": {"max_change": 0.05},
        "beam": {"max_current_drop": 0.2},
        "bounds": {"coverage": 0.95, "agreement": 1.0},
        "trust_region": {"grow_after": 1},
        "outcome": {"near_miss": 1.0, "stop_band": 3.0, "cusum_slack": 2.0, "cusum_alarm": 60.0},
    },
    [
        {"pvs": [pattern], "unit": "A", "low": -limit, "high": limit, "max_step": step, "max_rate": 100.0,
         "max_total": 4.0}
        for pattern, limit, step in (("HS*:setCur", 5.0, STEERER), ("VS*:setCur", 5.0, STEERER),
                                     ("Q?P*:setCur", 200.0, QUADRUPOLE))
    ],
)  # fmt: skip


class Console:
    """pyepics in a process of its own."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            command("pv_console"), env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def _ask(self, *request: object) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def get(self, names: Sequence[str]) -> list[float]:
        """Read PVs, from the server."""
        found: list[float] = self._ask("get", list(names))
        return found

    def put(self, name: str, value: float) -> None:
        """Write a PV, and wait until that is done."""
        self._ask("put", name, value)

    def close(self) -> None:
        """End the process."""
        with self._process:
            self._process.kill()


class GatedMachine:
    """The machine's process, its shadow's, an operator's console, and all that a replay of a recording needs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports, shadows = (EpicsPorts(free_port(), free_port(), free_port()) for _ in range(2))
        (folder / "machine.yaml").write_text(CONFIG)
        (folder / "shadow.yaml").write_text(SHADOW.format(port=self.ports.pva_udp))
        (folder / "client.yaml").write_text(
            f"machine: mls\nrecorder: {{journal: {folder}/client.journal}}\ngate: {{limits: limits.yaml}}\n"
        )
        (folder / "limits.yaml").write_text(LIMITS)
        self.ring = shipped_machine("mls")
        self.names = [f"{s.name}:setCur" for s in self.ring.document.supplies]
        self.recordings = RecordingFolder(folder / "recordings")
        self.stack = ExitStack()
        with ExitStack() as stack:
            self.client = client_of(self.ports.pva_udp)
            stack.callback(self.client.close)
            self.process = self.start()
            stack.callback(lambda: self.process.stop())
            self.calibrated = dict(zip(self.names, map(float, self.get(*self.names)), strict=True))
            self.calibrate()
            self.shadow = stack.enter_context(
                TwinProcess(shadows.environment, folder, "--config", str(folder / "shadow.yaml"))
            )
            self.of_shadow = client_of(shadows.pva_udp)
            stack.callback(self.of_shadow.close)
            self.console = Console(self.process.client_environment)
            stack.callback(self.console.close)
            self.stack = stack.pop_all()

    def start(self) -> TwinProcess:
        """Start the machine, at the settings of its start."""
        return TwinProcess(self.ports.environment, self.folder, "--config", str(self.folder / "machine.yaml"))

    def get(self, *names: str) -> list[Any]:
        found: list[Any] = self.client.get([f"M:{name}" for name in names], timeout=PATIENCE_S)
        return found

    def put(self, name: str, value: float) -> None:
        self.client.put(f"M:{name}", value, timeout=PATIENCE_S)

    def put_quadrupoles_back(self) -> None:
        """Set all quadrupoles to what they were when the bounds were calibrated."""
        for name, value in self.calibrated.items():
            if name.startswith("Q"):
                self.put(name, value)

    def settings(self) -> list[float]:
        """Setpoints of all supplies, as an operator's console reads them over Channel Access."""
        return self.console.get([f"M:{name}" for name in self.names])

    def fault(self, kind: str, **keys: str) -> None:
        given = {"do": "add", "kind": kind, **keys}
        types = [("query", ("S", None, [(name, "s") for name in given]))]
        self.client.rpc("M:dt:fault", Value(Type(types, id="epics:nt/NTURI:1.0"), {"query": given}), timeout=PATIENCE_S)

    def clear(self) -> None:
        """End all faults; inject again if the beam is lost."""
        self.put("dt:faults:clear", 1)
        assert wait_for(self._has_beam)

    def _has_beam(self) -> bool:
        if not float(self.get("CUM1ZK3RP:rdCur")[0]) > 1.0:
            with suppress(RemoteError):  # the end of a fault takes a moment
                self.put("dt:inject", 1)
        return float(self.get("CUM1ZK3RP:rdCur")[0]) > 1.0

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

    def orbit(self) -> NDArray[np.float64]:
        names = [f"{bpm.name}:rd{plane}" for bpm in self.ring.bpms for plane in "XY"]
        return np.array([float(value) for value in self.get(*names)]).reshape(-1, 2)

    def true_lattice(self) -> Lattice:
        """The lattice with the hidden errors at the machine's settings."""
        path = self.folder / "true.json"
        if not path.exists():
            done = self.process.gnomon("machine", "truth", "--document", str(path))
            assert done.returncode == 0, done.stderr
        present = self.lattice()
        currents = {supply.name: present[supply.name, "current"] for supply in self.ring.document.supplies}
        found: Lattice = gnomon.ring(path).set(currents).lattice
        return found

    def calibrate(self) -> None:
        """Calibrate with the true model, in this process: what takes the beam minutes takes it seconds."""
        present, true, random = self.lattice(), self.true_lattice(), np.random.default_rng(1)
        propagate, places = Propagator(true.ring), list(true.ring.monitors)

        def readings(changes: Mapping[Key, float]) -> NDArray[np.float64]:
            beam = propagate(true.updated(changes))
            assert beam.found
            orbit = 1e3 * beam.orbit[places][:, [0, 2]]
            rows = np.concatenate((orbit[:, 0], orbit[:, 1], beam.tune % 1.0))
            noise = np.full(rows.size, NOISE_MM)
            noise[-2:] = NOISE_TUNE
            return rows + noise * random.standard_normal(rows.size)

        def change(name: str, part: float) -> MeasuredChange:
            step = part * next(size for start, size in PATTERNS.items() if name.startswith(start))
            changes: dict[Key, float] = {(name, "current"): true[name, "current"] + step}
            return MeasuredChange(changes, readings(changes) - readings({}), {})

        def drawn(start: str) -> MeasuredChange:
            mine = [name for name in names if name.startswith(start)]
            return change(str(random.choice(mine)), float(random.uniform(0.05, 1.0) * random.choice((-1.0, 1.0))))

        m, names = len(self.ring.bpms), [supply.name for supply in self.ring.document.supplies]
        names = [name for name in names if name.startswith(tuple(PATTERNS))]
        document = calibrate(
            self.ring.nominal, present, Noise(np.full((m, 2), NOISE_MM), np.full(2, NOISE_TUNE)),
            [change(name, 0.5) for name in names], [drawn(start) for start in PATTERNS for _ in range(60)],
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
        recording = seal(RecordingContent.model_validate(fields))
        self.recordings.add(RecordingFile(recording=recording))
        self.approve(name)
        return recording

    def approve(self, name: str) -> None:
        """Approve a recording, as somebody else than its author, with the limits file as it is."""
        key, digest = ReviewKey(Ed25519PrivateKey.generate()), read_limits(self.folder / "limits.yaml", "").digest
        self.recordings.approve(key.approve(self.recordings.find(name).recording, "bob@office", time.time_ns(), digest))

    def token(self, name: str) -> str:
        digest = read_limits(self.folder / "limits.yaml", "").digest
        return arm(TokenDesk(self.folder / "arming"), self.recordings.find(name), "M:", digest)

    def start_replay(self, name: str) -> "subprocess.Popen[str]":
        return self.popen("replay", name, "--prefix", "M:", "--arm", "--token", self.token(name), *PATIENT)

    def popen(self, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [*GNOMON, *words, "--config", str(self.folder / "client.yaml")],
            env=self.process.environment | {"PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def replay(self, name: str) -> tuple[int, str]:
        process = self.start_replay(name)
        said = process.communicate(timeout=READY_S)[0]
        return process.returncode, said

    def report(self) -> dict[str, Any]:
        newest = max((self.folder / "replays").glob("*.report.json"), key=lambda path: path.stat().st_mtime)
        found: dict[str, Any] = json.loads(newest.read_text())
        return found


@contextmanager
def gated_machine(folder: Path) -> Iterator[GatedMachine]:
    machine = GatedMachine(folder)
    with machine.stack:
        yield machine
