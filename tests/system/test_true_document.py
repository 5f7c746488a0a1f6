"""Two shadows of one imperfect machine: residuals show its hidden errors, and noise to the shadow that knows them."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest
from p4p.client.thread import Context

from gnomon.ioc.base.config import ShadowConfig
from system.test_shadow_operation import ports, reader, until
from system.twin_process import TwinProcess
from unit.cli.commands import gnomon

#: Noise of a monitor that the shadow expects [mm].
NOISE_MM = 1e3 * ShadowConfig().monitor_noise_m

#: A machine that stands still but for the noise of its monitors: drifts and steps of supplies are in no document.
MACHINE = """
role: machine
machine: {ring}
prefix: ''
publish: {{repeat_hz: 20.0}}
imperfections:
  supplies: {{resolution_bits: 0, remanence: 0.0}}
  drifts: {{tide: 0.0, temperature: 0.0}}
"""
#: What the machine shows of calibrations and strengths is ideal, and not for a shadow that knows better.
SHADOW = """
role: shadow
machine: {machine}
pvs: {ring}
prefix: 'SHADOW:'
shadow: {{addresses: ['127.0.0.1:{port}'], leave_alone: ['*:par:hw2phys', '*:Cm:set']}}
"""


@contextmanager
def served(folder: Path, ring: str, wanted: Sequence[str]) -> Iterator[dict[str, Context]]:
    """Clients of the machine, and of the wanted shadows: with the ideal, with the true document."""
    (folder / "machine.yaml").write_text(MACHINE.format(ring=ring))
    true = folder / "true.json"
    assert gnomon("machine", "truth", "--config", folder / "machine.yaml", "--document", true).exit_code == 0
    theirs = ports()
    with ExitStack() as stack:
        stack.enter_context(TwinProcess(theirs.environment, folder, "--config", str(folder / "machine.yaml")))
        found = {"machine": stack.enter_context(reader(theirs))}
        for name, machine in (("ideal", ring), ("true", str(true))):
            if name not in wanted:
                continue
            where, own = ports(), Path(folder / name)
            own.mkdir()
            (own / "shadow.yaml").write_text(SHADOW.format(machine=machine, ring=ring, port=theirs.ca))
            stack.enter_context(TwinProcess(where.environment, own, "--config", str(own / "shadow.yaml")))
            found[name] = stack.enter_context(reader(where))
        yield found


def residual_rms_mm(shadow: Context) -> list[float]:
    """The rms of the residuals in both planes, over sixty readings: one of 28 monitors has a scatter of 13 %."""
    found = []
    for _ in range(60):
        found.append([float(shadow.get(f"SHADOW:dt:residual:{plane}:rms")) for plane in ("x", "y")])
        time.sleep(0.1)
    return np.sqrt(np.mean(np.square(found), axis=0)).tolist()


def until_compared(shadow: Context) -> None:
    """Wait until the shadow has taken the machine's state and compared its readings."""
    until(lambda: int(shadow.get("SHADOW:dt:machine:connected")) == 3)
    until(lambda: shadow.get("SHADOW:dt:residual:x:rms").severity == 0)


@pytest.mark.slow
def test_residuals_show_hidden_errors_and_are_noise_with_the_true_document(tmp_path: Path) -> None:
    with served(tmp_path, "mls", ("ideal", "true")) as shadows:
        for name in ("ideal", "true"):
            until_compared(shadows[name])
        assert min(residual_rms_mm(shadows["ideal"])) > 50.0 * NOISE_MM
        assert max(residual_rms_mm(shadows["true"])) < 1.1 * NOISE_MM


@pytest.mark.slow
def test_residuals_of_bessy2_are_noise_with_the_true_document(tmp_path: Path) -> None:
    with served(tmp_path, "bessy2", ("true",)) as shadows:
        until_compared(shadows["true"])
        assert max(residual_rms_mm(shadows["true"])) < 1.1 * NOISE_MM
