"""The imperfect machine: it boots as operators find it, and only its document with the true values explains it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gnomon.db import shipped_document
from gnomon.fault_injection.errors import KINDS
from gnomon.ioc.app.imperfect.assembly import monitor_errors
from gnomon.ioc.app.imperfect.imperfect_machine import (
    CorrectionError,
    ImperfectMachine,
    as_operators_left_it,
    error_sizes,
    machine_errors,
    write_true_document,
)
from gnomon.ioc.app.initial_state import InitialState
from gnomon.ioc.base.config import Config, ImperfectionsConfig, ShadowConfig, changed
from gnomon.lattice import DocumentError, Lattice, Ring, read_machine
from gnomon.propagator import Propagator

RINGS = {name: Ring(shipped_document(name)) for name in ("bessy2", "mls")}
#: Largest orbit that is left over a hundred seeds [m]; the MLS has 28 steerers only.
MAX_RMS_M = {"bessy2": 1.2e-4, "mls": 2e-4}
#: What the shadow takes for the noise of a monitor [m].
NOISE_M = ShadowConfig().monitor_noise_m


def machine(ring: str, seed: int, scale: float = 1.0) -> ImperfectMachine:
    return ImperfectMachine.of(RINGS[ring], ImperfectionsConfig(seed=seed, scale=scale), "frequency")


def rms_m(positions: np.ndarray) -> np.ndarray:
    """Rms of the positions in both planes."""
    return np.sqrt(np.mean(positions**2, axis=0))


def at_monitors(ring: Ring, orbit: np.ndarray) -> np.ndarray:
    return orbit[list(ring.monitors)][:, [0, 2]]


def shown(one: ImperfectMachine, orbit: np.ndarray) -> np.ndarray:
    """Readings of the monitors without noise."""
    x, y = at_monitors(one.ring, orbit).T
    return np.column_stack(monitor_errors(one.ring, one.errors).readings(x, y))


def check_boot(one: ImperfectMachine) -> InitialState:
    """A machine starts with monitors that show about 100 um rms, tunes within 0.01, and settings within limits."""
    start = as_operators_left_it(one)
    ring = one.ring
    beam = one.propagator()(start.lattice)
    assert beam.found
    rms = rms_m(shown(one, beam.orbit))
    assert 2e-5 < rms.max() <= MAX_RMS_M[ring.name]
    assert rms_m(at_monitors(ring, beam.orbit)).max() < 3e-4
    assert np.abs(beam.tune - Propagator(ring)(ring.nominal).tune).max() < 0.01
    assert ring.nominal.updated(start.changes).id == start.lattice.id
    assert f"{1e3 * rms[0]:.3f}" in start.note
    return start


@pytest.mark.parametrize("ring", ["bessy2", "mls"])
@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow(1)) for seed in (2, 3))])
def test_it_boots_with_a_corrected_orbit_and_nominal_tunes(ring: str, seed: int) -> None:
    start = check_boot(machine(ring, seed))
    steerers = [m.supply for m in RINGS[ring].magnets if m.main == "kick"]
    assert sum(abs(start.lattice[name, "current"]) > 1e-3 for name in steerers) > len(steerers) / 2


@pytest.mark.slow(30)
@pytest.mark.parametrize("ring", ["bessy2", "mls"])
def test_it_boots_with_each_of_a_hundred_seeds(ring: str) -> None:
    for seed in range(1, 101):
        check_boot(machine(ring, seed))


def test_it_boots_the_same_with_the_same_seed() -> None:
    first, again = (as_operators_left_it(machine("mls", 4)) for _ in range(2))
    assert first == again or (first.lattice.id, first.note) == (again.lattice.id, again.note)
    assert as_operators_left_it(machine("mls", 5)).lattice.id != first.lattice.id


def test_errors_that_leave_no_beam_grow_in_steps() -> None:
    """With errors eight times as large the bare machine stores nothing, and the corrected one does."""
    one = machine("mls", 1, 8.0)
    bare = one.propagator()(RINGS["mls"].nominal)
    start = as_operators_left_it(one)
    assert one.propagator()(start.lattice).found
    if bare.found:
        assert rms_m(at_monitors(one.ring, bare.orbit)).max() > 5e-3


def test_a_machine_without_any_beam_is_refused_with_what_to_do() -> None:
    off = machine_errors(RINGS["mls"].document, ImperfectionsConfig())
    gradients = dict.fromkeys(off.values["quadrupole_gradient"], -0.9)
    hopeless = replace(off, values={**off.values, "quadrupole_gradient": gradients})
    with pytest.raises(CorrectionError, match=r"mls, seed 1: .* make imperfections\.scale smaller"):
        as_operators_left_it(ImperfectMachine(RINGS["mls"], hopeless))


def test_a_ring_without_a_beam_by_design_begins_with_nominal_settings() -> None:
    document = RINGS["mls"].document
    weak = [p.model_copy(update={"k1": 0.1 * p.k1}) if p.type == "quadrupole" else p for p in document.elements]
    ring = Ring(document.model_copy(update={"elements": tuple(weak), "optics": {}, "operating": {}}))
    start = as_operators_left_it(ImperfectMachine.of(ring, ImperfectionsConfig(), "frequency"))
    assert start.lattice.id == ring.nominal.id
    assert start.note.startswith("nothing was corrected")


def test_everything_is_zero_on_request() -> None:
    nothing = machine_errors(RINGS["mls"].document, ImperfectionsConfig(scale=0.0))
    assert not any(value for of in nothing.values.values() for value in of.values())


def test_each_kind_has_a_size_in_the_configuration() -> None:
    of_monitors = {"monitor_x": "offset_m", "monitor_y": "offset_m", "monitor_gain_x": "gain", "monitor_gain_y": "gain"}
    of_monitors["monitor_roll"] = "roll_rad"
    for kind in KINDS:
        key = kind.name + (f"_{kind.unit}" if kind.unit else "")
        section = {"monitors": {of_monitors[kind.name]: 7e-3}} if kind.of == "monitor" else {"errors": {key: 7e-3}}
        config = changed(Config(), {"imperfections": section})
        assert getattr(error_sizes(config.imperfections), kind.name) == 7e-3
    assert error_sizes(ImperfectionsConfig(scale=2.0)).magnet_x == 2.0 * error_sizes(ImperfectionsConfig()).magnet_x


def steered(lattice: Lattice) -> Lattice:
    """A state that operators may set later."""
    magnet = next(m for m in lattice.ring.magnets if m.main == "kick")
    return lattice.updated({(magnet.supply, "current"): lattice[magnet.supply, "current"] + 0.05})


@pytest.mark.parametrize("ring", ["bessy2", "mls"])
def test_only_the_true_document_explains_the_orbit(ring: str, tmp_path: Path) -> None:
    """A shadow computes the orbit of the setpoints that it reads, here without the noise of monitors.

    With the ideal document it is off by more than 50 times the noise. With the true one, what is left is so far below
    the noise that residuals are the noise.
    """
    one = machine(ring, 1)
    write_true_document(one.ring.document, one.errors, tmp_path / "true.json")
    true = Ring(read_machine(tmp_path / "true.json"))
    for lattice in (start := as_operators_left_it(one).lattice, steered(start)):
        read = shown(one, one.propagator()(lattice).orbit)
        setpoints = {(s.name, "current"): lattice[s.name, "current"] for s in one.ring.document.supplies}
        ideal = at_monitors(one.ring, Propagator(one.ring)(one.ring.nominal.updated(setpoints)).orbit)
        assert rms_m(read - ideal).min() > 50.0 * NOISE_M
        known = true.nominal.updated(setpoints)
        x, y = at_monitors(true, Propagator(true)(known).orbit).T
        explained = np.column_stack(known.monitor_errors().readings(x, y))
        assert rms_m(read - explained).max() < 1e-3 * NOISE_M


def test_a_true_document_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    one = machine("mls", 1)
    with pytest.raises(DocumentError, match="cannot be written"):
        write_true_document(one.ring.document, one.errors, tmp_path / "none" / "true.json")


def test_the_beam_of_an_imperfect_machine_has_the_id_of_the_lattice_that_was_set() -> None:
    one = machine("mls", 1)
    lattice = steered(RINGS["mls"].nominal)
    assert one.propagator()(lattice).lattice_id == lattice.id
