"""Replays through the gate to a machine with hidden errors: whole procedures, and faults while they are made."""

from collections.abc import Iterator

import pytest

from system.gated_machine import QUADRUPOLES, STEERERS_X, STEERERS_Y, GatedMachine, gated_machine

pytestmark = pytest.mark.slow  # a server, and a command for each replay


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatedMachine]:
    with gated_machine(tmp_path_factory.mktemp("gated")) as found:
        found.calibrate()
        yield found


def test_a_bump_a_tune_change_a_response_and_an_optics_correction_go_through(machine: GatedMachine) -> None:
    steps = [
        *((name, by) for name, by in zip(STEERERS_Y[:3], (0.06, -0.08, 0.05), strict=True)),
        *((name, by) for name in STEERERS_X[:2] for by in (0.03, -0.06, 0.03)),
        *((name, by) for name, by in zip(QUADRUPOLES, (0.04, 0.04, -0.03, 0.02), strict=True)),
    ]
    recording = machine.recording("procedures", *steps)
    status, said = machine.replay("procedures")
    assert status == 0, said
    assert f"done: {len(recording.steps)} steps written, verified, and as predicted" in said
    report = machine.report()
    assert all(write["verdict"] == "as predicted" for write in report["writes"])
