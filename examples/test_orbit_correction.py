"""Tests of the orbit corrections of this folder, as an author of such a program would write them.

    pip install gnomon pytest
    pytest examples

Each test has a fresh ring with a disturbed orbit and one thing wrong with it. A good program either makes the orbit
flat, or leaves the ring as it was; it says what is wrong, and never makes the orbit worse. The naive one fails each
time: its tests are here to show how, and would not be in a project of your own.
"""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
#: The orbit that the program has to correct [A]; without correction it is 0.5 mm rms.
DISTURBED = {"HS1PT1R": 0.03, "HS1PT3R": -0.02, "HS1PD8R": 0.03}
#: Flat, for the beam itself [mm rms].
FLAT_MM = 0.05

#: What is wrong: faults, each with its kind and device (`gnomon fault kinds` lists them), and who is to be named.
FAULTS = {
    # The supply measures its current before the leads, and so shows what it was set to.
    "inverted polarity": ([("polarity", "HS1PT3R"), ("reading_polarity", "HS1PT3R")], "HS1PT3R"),
    "supply that acknowledges and does not move": ([("acknowledge", "HS1PT1R")], "HS1PT1R"),
    "stuck monitor": ([("reading_stuck", "BPMZ5D1R")], "BPMZ5D1R"),
    "dead monitor": ([("reading_dead", "BPMZ5D2R")], "BPMZ5D2R"),
}


def run(program: str, timeout_s: float = 60.0) -> "subprocess.CompletedProcess[str]":
    """Run a program of this folder. The plugin has set the environment by which it finds the ring."""
    return subprocess.run(
        [sys.executable, FOLDER / program], capture_output=True, text=True, timeout=timeout_s, check=False
    )


def disturb(ring, wrong=None):
    """Let something be wrong with a ring, and give it an orbit to correct."""
    for kind, device in FAULTS[wrong][0] if wrong else ():
        ring.fault(kind, device)
    ring.set(DISTURBED)


def check(done, ring, truth, before_mm, device):
    """Check what a program has done to a ring with something wrong."""
    flat = truth.orbit.rms_x < FLAT_MM
    as_it_was = all(ring.get(name) == pytest.approx(value, abs=1e-6) for name, value in DISTURBED.items())
    assert flat or as_it_was, f"the orbit was {before_mm:.3f} mm rms, and is {truth.orbit!r}"
    assert device in done.stdout + done.stderr, "the operator is not told what is wrong"
    assert (done.returncode == 0) == flat, "the exit code does not say whether the orbit is flat"


@pytest.mark.parametrize("program", ["orbit_correction.py", "orbit_correction_naive.py"])
def test_a_healthy_ring_is_corrected(ring, truth, journal, program):
    disturb(ring)
    assert truth.orbit.rms_x > 0.3
    done = run(program)
    assert done.returncode == 0, done.stderr
    assert truth.orbit.rms_x < FLAT_MM
    assert set(journal.commands().devices) <= {"HS1PT1R", "HS1PT2R", "HS1PT3R", "HS1PT4R", "HS1PT5R", "HS1PD8R"}
    assert all(command.outcome == "applied" for command in journal.commands())


@pytest.mark.parametrize("wrong", FAULTS)
def test_the_careful_program_corrects_or_leaves_everything_as_it_was(ring, truth, wrong):
    disturb(ring, wrong)
    before_mm = truth.orbit.rms_x
    check(run("orbit_correction.py"), ring, truth, before_mm, device=FAULTS[wrong][1])


@pytest.mark.parametrize("wrong", FAULTS)
def test_the_naive_program_does_not_notice(ring, truth, wrong):
    disturb(ring, wrong)
    before_mm = truth.orbit.rms_x
    done = run("orbit_correction_naive.py")
    assert "orbit corrected" in done.stdout
    with pytest.raises(AssertionError):
        check(done, ring, truth, before_mm, device=FAULTS[wrong][1])


def test_an_interrupt_leaves_everything_as_it_was(ring):
    disturb(ring)
    program = subprocess.Popen([sys.executable, FOLDER / "orbit_correction.py"], stderr=subprocess.DEVNULL)
    try:
        ring.wait_until(lambda: ring.journal.commands("HS1PT2R"), timeout_s=30.0, what="the program measures")
        program.send_signal(signal.SIGINT)
        assert program.wait(20.0) != 0
    finally:
        program.kill()
        program.wait()
    assert all(ring.get(name) == pytest.approx(value, abs=1e-6) for name, value in DISTURBED.items())


def test_an_imperfect_machine_is_corrected(machine):
    before = machine.orbit
    machine.set({name: machine.get(name) + change for name, change in DISTURBED.items()})
    machine.wait_until(
        lambda: machine.orbit.rms_x > before.rms_x + 0.1, timeout_s=20.0, what="the supplies have ramped"
    )
    done = run("orbit_correction.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert machine.orbit.rms_x < before.rms_x + 0.05
