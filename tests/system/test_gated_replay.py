"""Machine, shadow and replay as processes of their own: whole procedures through the gate, and faults meanwhile."""

import re
import signal
import subprocess
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from patience import wait_for

from gnomon.lattice import Lattice
from gnomon.procedures.optics_correction import OpticsCorrectionData, OpticsCorrectionParameters, analyse
from gnomon.propagator import Propagator
from gnomon.recorder.replaying import load_state
from programs import rehearsal
from system.gated_machine import PATIENT, QUADRUPOLE, GatedMachine, gated_machine
from system.twin_process import READY_S

pytestmark = pytest.mark.slow(20)  # two servers, a console, and a command for each replay

#: Two steerers that no rehearsed procedure moves, and that each replay with a fault puts back.
AGAIN = ("VS3P2K3RP", "VS2P1K3RP")
#: Supplies of the correction of the optics, one of each family.
OPTICS = ("Q1P1L2RP", "Q2P1K1RP", "Q2P1L4RP", "Q3P1K3RP")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatedMachine]:
    with gated_machine(tmp_path_factory.mktemp("gated")) as found:
        yield found


class SeenBounds:
    """Bounds that the shadow has shown after changes, while it was looked at."""

    def __init__(self, machine: GatedMachine) -> None:
        self._client = machine.of_shadow
        self.outside: list[int] = []
        self._kind = 0

    def __enter__(self) -> "SeenBounds":
        self._subscriptions = [
            self._client.monitor("S:dt:bound:kind", self._kinds),
            self._client.monitor("S:dt:bound:outside", self._counts),
        ]
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._subscriptions:
            each.close()

    def _kinds(self, value: object) -> None:
        self._kind = int(value)  # type: ignore[call-overload]

    def _counts(self, value: object) -> None:
        if self._kind and getattr(value, "severity", 3) < 3:
            self.outside.append(int(value))  # type: ignore[call-overload]


def rehearse(machine: GatedMachine, tune: float, optics: dict[str, float]) -> None:
    """Make the procedures on the shadow, as a twin for that time, and recordings of them; then it follows again."""
    followed(machine)  # a shadow that has just started has the settings of the document
    machine.of_shadow.put("S:par:mode", 0)
    journal = str(machine.shadow.journal)
    numbers = machine.shadow.client(rehearsal.rehearse, "S:", journal, str(machine.folder / "results"), tune, optics)
    for name, (first, last) in numbers.items():
        made = machine.popen(
            "record", "excerpt", name, "-m", f"the {name}", "--from", str(first), "--to", str(last),
            "--journal", journal, "--reference-from", "M:",
        )  # fmt: skip
        said = made.communicate(timeout=READY_S)[0]
        assert made.returncode == 0, said
        machine.approve(name)
    machine.of_shadow.put("S:par:mode", 1)


def rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(values**2)))


def beta_of(lattice: Lattice) -> NDArray[np.float64]:
    """Beta functions at the monitors (2, n) [m]."""
    found: NDArray[np.float64] = Propagator(lattice.ring)(lattice).beta[list(lattice.ring.monitors)].T
    return found


def correction_of_the_optics(machine: GatedMachine) -> dict[str, float]:
    """Currents that bring beta of the true machine nearer to that of the model, as the procedure proposes them."""
    true, wanted = machine.true_lattice(), beta_of(machine.lattice())
    here, step = beta_of(true), 0.05
    slopes = [(beta_of(true.updated({(n, "current"): true[n, "current"] + step})) - here) / step for n in OPTICS]
    settings = np.array([true[name, "current"] for name in OPTICS])
    data = OpticsCorrectionData(
        supplies=OPTICS, monitors=tuple(bpm.name for bpm in machine.ring.bpms), present=here / wanted - 1.0,
        beating=here / wanted - 1.0, response=np.stack(slopes, axis=2) / wanted[:, :, None], settings=settings,
        low=settings - QUADRUPOLE, high=settings + QUADRUPOLE,
    )  # fmt: skip
    proposed = analyse(data, OpticsCorrectionParameters()).proposed
    return {f"{name}:setCur": float(value) for name, value in zip(OPTICS, proposed, strict=True)}


def followed(machine: GatedMachine) -> None:
    """Wait until the shadow has the settings of the machine."""
    names = [f"S:{name}" for name in machine.names]

    def as_the_machine() -> bool:
        theirs = [float(value) for value in machine.of_shadow.get(names)]
        return theirs == pytest.approx(machine.settings(), abs=1e-9)

    assert wait_for(as_the_machine)


def test_procedures_rehearsed_on_a_twin_go_through_and_the_shadow_bounds_the_orbit(machine: GatedMachine) -> None:
    tunes = tuple(float(value) for value in machine.get("beam:twiss:x:tune", "beam:twiss:y:tune"))
    optics, wanted = correction_of_the_optics(machine), beta_of(machine.lattice())
    before = rms(beta_of(machine.true_lattice()) / wanted - 1.0)
    rehearse(machine, 0.01, optics)
    steps = 0
    with SeenBounds(machine) as seen:
        for name in ("bump", "response", "tunes", "optics"):
            if name == "optics":
                machine.put_quadrupoles_back()
            followed(machine)
            status, said = machine.replay(name)
            assert status == 0, said
            recording = machine.recordings.find(name).recording
            assert re.search(r"done: \d+ steps written, verified, and as predicted", said)
            assert all(write["verdict"] == "as predicted" for write in machine.report()["writes"])
            steps += len(machine.report()["writes"])
            ends = {f"{c.device}:setCur": c.new for step in recording.steps for c in step.changes}
            shown = dict(zip(machine.names, machine.settings(), strict=True))
            assert [shown[pv] for pv in ends] == pytest.approx(list(ends.values()), abs=1e-9)
            if name == "tunes":
                after = [float(value) for value in machine.get("beam:twiss:x:tune", "beam:twiss:y:tune")]
                assert after == pytest.approx([tunes[0] + 0.01, tunes[1]], abs=1.5e-3)
    assert rms(beta_of(machine.true_lattice()) / wanted - 1.0) < 0.9 * before
    assert len(seen.outside) > steps  # readings that were compared with the band of a change
    assert np.mean(np.array(seen.outside) == 0) > 0.9


@pytest.fixture(scope="module")
def recorded(machine: GatedMachine) -> list[float]:
    """A recording of two steerers that each replay with a fault moves; the settings that it begins with."""
    machine.put_quadrupoles_back()  # to the optics of the calibration
    machine.recording("again", (AGAIN[0], 0.04), (AGAIN[1], -0.04))
    return machine.settings()


@pytest.fixture
def again(machine: GatedMachine, recorded: list[float]) -> list[float]:
    """The settings with which the recording begins, which the machine has."""
    for name, now, value in zip(machine.names, machine.settings(), recorded, strict=True):
        if now != pytest.approx(value):
            machine.put(name, value)
    return recorded


def until(process: "subprocess.Popen[str]", text: str) -> None:
    """Read lines until one has a text."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return
    raise AssertionError(f"no {text!r}: {lines}")


def ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    said = process.communicate(timeout=READY_S)[0]
    return process.returncode, said


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ({"kind": "polarity", "device": AGAIN[0], "count": "1"}, "instead of"),
        ({"kind": "acknowledge", "device": AGAIN[0]}, "expected were"),  # a stuck magnet whose readback follows
        ({"kind": "reading_stuck", "device": "BPMZ*"}, "expected were"),
    ],
)
def test_a_fault_is_found_at_the_first_write_and_all_is_put_back(
    machine: GatedMachine, again: list[float], fault: dict[str, str], text: str
) -> None:
    machine.fault(**fault)
    try:
        status, said = machine.replay("again")
    finally:
        machine.clear()
    assert status == 1, said
    assert "stopped and rolled back" in said
    assert text in said
    assert machine.settings() == pytest.approx(again)


def test_an_orbit_that_jumps_and_stays_calls_the_operator_and_is_put_back_later(
    machine: GatedMachine, again: list[float]
) -> None:
    process = machine.start_replay("again")
    until(process, "verified")
    machine.fault("beam_jump", device="Q1M1L2RP", kick_mrad="0.05", plane="y")
    status, said = ended(process)
    machine.clear()
    assert status == 3, said
    assert "CALL THE OPERATOR" in said
    assert "the beam is not where it was" in said
    put_back(machine)
    assert machine.settings() == pytest.approx(again)


def put_back(machine: GatedMachine, option: str = "--rollback") -> None:
    """Put back, or continue, the replay that is open."""
    (state,) = open_states(machine)
    status, said = ended(machine.popen("replay", option, state, *PATIENT))
    assert status == 0, said


def open_states(machine: GatedMachine) -> list[str]:
    """Ids of replays that have to be continued or put back."""
    paths = [path for path in (machine.folder / "replays").glob("*.json") if not path.name.endswith(".report.json")]
    return [path.stem for path in paths if load_state(path).status.open]


def test_a_foreign_write_stops_it_and_stays_and_calls_the_operator_since_it_moves_the_beam(
    machine: GatedMachine, again: list[float]
) -> None:
    other = machine.names.index("HS1P2K3RP:setCur")
    process = machine.start_replay("again")
    until(process, "verified")
    machine.console.put(f"M:{machine.names[other]}", again[other] + 0.01)
    status, said = ended(process)
    assert status == 3, said
    assert "it had stopped because: M:HS1P2K3RP:setCur = " in said
    assert "someone else has changed it" in said
    wanted = [*again]
    wanted[other] += 0.01
    assert machine.settings() == pytest.approx(wanted)
    machine.console.put(f"M:{machine.names[other]}", again[other])
    put_back(machine)
    assert machine.settings() == pytest.approx(again)


def test_without_a_beam_it_stops_and_settings_go_back(machine: GatedMachine, again: list[float]) -> None:
    process = machine.start_replay("again")
    until(process, "verified")
    machine.fault("beam_dump")
    status, said = ended(process)
    machine.clear()
    assert status == 1, said
    assert "stopped and rolled back" in said
    assert machine.settings() == pytest.approx(again)


@pytest.mark.parametrize("option", ["--rollback", "--resume"])
def test_after_kill_9_it_is_put_back_or_continued(machine: GatedMachine, again: list[float], option: str) -> None:
    process = machine.start_replay("again")
    until(process, "write")
    process.kill()
    ended(process)
    put_back(machine, option)
    wanted = [*again]
    if option == "--resume":
        for name, by in zip(AGAIN, (0.04, -0.04), strict=True):
            wanted[machine.names.index(f"{name}:setCur")] += by
    assert machine.settings() == pytest.approx(wanted)


def test_a_machine_that_is_killed_and_started_again_gets_its_settings_back(
    machine: GatedMachine, again: list[float]
) -> None:
    """The last test: the machine begins with the settings of its start, which these two steerers have."""
    process = machine.start_replay("again")
    until(process, "verified")
    machine.process.stop(signal.SIGKILL)
    until(process, "waiting")
    machine.process = machine.start()
    try:
        status, said = ended(process)
        shown = dict(zip(machine.names, machine.settings(), strict=True))
    finally:
        machine.process.stop()  # no test leaves a process that it has started
    # A bump of before is gone with the machine's settings: then the beam is not where it was, which calls the operator.
    assert ("stopped and rolled back" if status == 1 else "CALL THE OPERATOR") in said
    for name, value in zip(machine.names, again, strict=True):
        if name[:-7] in AGAIN:
            assert shown[name] == pytest.approx(value)
