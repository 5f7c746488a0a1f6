"""The imperfect machine over the network: ramps, noise, a tune meter, and a beam that the interlock dumps."""

import time
from collections.abc import Iterator

import numpy as np
import pytest
from conftest import EpicsPorts
from p4p.client.thread import Context, RemoteError
from p4p.nt import NTURI

from system.test_shadow_operation import ports, reader, until
from system.twin_process import TwinProcess

SUPPLY, STEERER, TUNE = "Q1PDR", "HS1PD1R", "TUNEZR:rdH"


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EpicsPorts]:
    where, folder = ports(), tmp_path_factory.mktemp("machine")
    config = folder / "machine.yaml"
    config.write_text(
        "role: machine\nprefix: ''\npublish: {repeat_hz: 10.0}\nimperfections: {supplies: {ramp_s: 200.0}}\n"
    )
    with TwinProcess(where.environment, folder, "--config", str(config)):
        yield where


@pytest.fixture(scope="module")
def machine(where: EpicsPorts) -> Iterator[Context]:
    with reader(where) as context:
        yield context


@pytest.fixture(scope="module")
def procedures(where: EpicsPorts) -> Iterator[Context]:
    with reader(where) as context:  # of its own: after a call, a context of p4p no longer gives plain values
        yield context


def get(machine: Context, name: str) -> float:
    return float(machine.get(name))


def reason(machine: Context) -> str:
    value = machine.get("dt:reason")
    return str(value.raw.value)


def fault(procedures: Context, **keys: str) -> None:
    procedures.rpc("dt:fault", NTURI([(key, "s") for key in keys]).wrap("dt:fault", kws=keys))


def test_it_boots_with_a_corrected_orbit(machine: Context) -> None:
    for plane in ("x", "y"):
        assert 0.01 < get(machine, f"dt:orbit:diff:rms:{plane}") < 0.15  # mm
    assert get(machine, f"{STEERER}:set") != 0.0
    assert reason(machine) == ""


def test_a_put_completes_at_once_and_the_readback_ramps(machine: Context) -> None:
    before = get(machine, f"{SUPPLY}:rdbk")
    began = time.monotonic()
    machine.put(f"{SUPPLY}:set", before + 1.0, wait=True)
    soon = get(machine, f"{SUPPLY}:rdbk")
    assert time.monotonic() - began > 0.6 or soon < before + 0.99  # the ramp of 1 A takes 0.6 s
    until(lambda: abs(get(machine, f"{SUPPLY}:rdbk") - before - 1.0) < 0.01)
    machine.put(f"{SUPPLY}:set", before, wait=True)
    until(lambda: abs(get(machine, f"{SUPPLY}:rdbk") - before) < 0.01)


def test_readings_are_noisy_and_repeat(machine: Context) -> None:
    orbits = []
    for _ in range(12):
        orbits.append(np.asarray(machine.get("dt:orbit:diff:x")))
        time.sleep(0.15)
    scatter = 1e3 * np.std(orbits, axis=0).mean()  # um
    assert 0.3 < scatter < 3.0


def test_the_interlock_dumps_the_beam_and_somebody_injects(machine: Context) -> None:
    setpoint = get(machine, f"{STEERER}:set")
    machine.put(f"{STEERER}:set", setpoint + 5.0, wait=True)
    until(lambda: "the interlock dumped the beam" in reason(machine))
    machine.put(f"{STEERER}:set", setpoint, wait=True)
    time.sleep(1.5)
    assert "dumped" in reason(machine)
    assert machine.get(TUNE).severity == 3
    machine.put("dt:inject", 1, wait=True)
    until(lambda: machine.get(TUNE).severity == 0)
    assert reason(machine) == ""
    with pytest.raises(RemoteError, match="stored already"):
        machine.put("dt:inject", 1, wait=True)


def test_a_supply_that_tripped_ramps_back_when_its_fault_is_cleared(machine: Context, procedures: Context) -> None:
    setpoint = get(machine, f"{STEERER}:set")
    machine.put(f"{STEERER}:set", 0.2, wait=True)
    until(lambda: abs(get(machine, f"{STEERER}:rdbk") - 0.2) < 1e-3)
    fault(procedures, do="add", kind="supply_trip", device=STEERER, decay_s="0.05")
    until(lambda: abs(get(machine, f"{STEERER}:rdbk")) < 1e-3)
    assert get(machine, f"{STEERER}:set") == 0.2
    fault(procedures, do="clear")
    until(lambda: abs(get(machine, f"{STEERER}:rdbk") - 0.2) < 1e-3)
    machine.put(f"{STEERER}:set", setpoint, wait=True)


def test_a_beam_that_a_fault_dumped_stays_away_until_somebody_injects(machine: Context, procedures: Context) -> None:
    fault(procedures, do="add", kind="beam_dump")
    until(lambda: "the beam was dumped" in reason(machine))
    with pytest.raises(RemoteError, match="no beam could be stored: the beam was dumped"):
        machine.put("dt:inject", 1, wait=True)
    fault(procedures, do="clear")
    time.sleep(0.3)
    assert reason(machine) == "the beam was dumped; put 1 to dt:inject to inject again"
    machine.put("dt:inject", 1, wait=True)
    assert reason(machine) == ""
