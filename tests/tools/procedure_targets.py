"""The figures that procedures reach against truth, as the page docs/procedures.md has them: several seeds, with noise.

`python -m tools.procedure_targets` computes them by the helpers of the tests that assert them, and writes the page.
"""

from collections.abc import Callable, Iterable
from time import process_time

import numpy as np

from gnomon.db import shipped_machine
from gnomon.lattice import Ring
from gnomon.procedures import orbit_response
from gnomon.procedures.chromaticity import ChromaticityData, ChromaticityOutcome, ChromaticityParameters
from gnomon.procedures.chromaticity import analyse as chromaticity
from gnomon.procedures.closed_bump import ClosedBumpParameters
from gnomon.procedures.closed_bump import analyse as closed_bump
from gnomon.procedures.dispersion import DispersionData, DispersionParameters
from gnomon.procedures.dispersion import analyse as dispersion
from gnomon.procedures.model_values import FITTED_ERROR, momentum_of
from gnomon.procedures.momentum import Momentum
from gnomon.procedures.optics_fit import fitted_lattice
from gnomon.procedures.orbit_response import OrbitResponseParameters
from gnomon.procedures.working_point import nearest_tunes
from gnomon.propagator import Propagator
from gnomon.propagator.derivatives import fed_by, supplies_of
from gnomon.propagator.studies import steering_supplies
from tools.folders import ROOT
from unit.procedures import test_beam_based_alignment as alignment
from unit.procedures import test_beam_measurements as beam
from unit.procedures import test_closed_bump as bumps
from unit.procedures import test_off_momentum as off_momentum
from unit.procedures import test_optics_correction as corrections
from unit.procedures import test_optics_fit as fits
from unit.procedures import test_orbit_correction as orbits
from unit.procedures import test_orbit_response as responses
from unit.procedures import test_working_point as working_point
from unit.procedures.distorted_optics import DistortedOptics
from unit.procedures.losing_ring import LosingRing
from unit.procedures.noisy_ring import NoisyRing, imperfect

PAGE = ROOT / "docs" / "procedures.md"
SEEDS = (1, 2, 3, 4, 5)
BESSY2 = shipped_machine("bessy2")

Row = tuple[str, str, str]


def worst(values: Iterable[float], form: str = "{:.2g}") -> str:
    """Show the worst of all seeds, and the median."""
    found = [abs(float(value)) for value in values]
    return f"{form.format(max(found))} ({form.format(float(np.median(found)))})"


def orm() -> list[Row]:
    """Orbit response: errors over stated ones, and stated ones over those that noise leaves."""
    pulls, stated = [], []
    steerers = steering_supplies(BESSY2.nominal)[::10]
    for seed in SEEDS:
        ring = NoisyRing(imperfect(BESSY2, seed), seed)
        data = responses.measured(ring, steerers, *responses.one_by_one(len(steerers)))
        found = orbit_response.analyse(data, OrbitResponseParameters())
        errors = np.array([found.x, found.y]) - ring.response(steerers)
        pulls.append(np.std(errors / np.array([found.x_error, found.y_error])))
        stated.append(np.std(errors) / (1e-3 / responses.STEP / 2.0))
    return [
        ("orbit response: rms error over noise / (step sqrt(n))", "1", worst(stated)),
        ("orbit response: rms of errors over stated errors", "1", worst(pulls)),
    ]


def off() -> list[Row]:
    """Dispersion and chromaticity, with the model's momentum compaction, and with the true one."""
    momentum = momentum_of(BESSY2.nominal)
    parts: dict[str, list[float]] = {
        key: [] for key in ("eta", "eta true", "xi", "xi true", "second", "second true", "a")
    }
    for seed in SEEDS:
        ring = NoisyRing(imperfect(BESSY2, seed), seed)
        factor = off_momentum.compaction(ring.lattice) / off_momentum.compaction(BESSY2.nominal)
        parts["a"].append(factor - 1.0)
        rf, readings, _ = off_momentum.scan(ring, 1.5, 9)
        names = tuple(bpm.name for bpm in BESSY2.bpms)
        data = DispersionData(monitors=names, rf_hz=rf, x_mm=readings[:, 0], y_mm=readings[:, 1], time_s=np.arange(9.0))
        found = dispersion(data, DispersionParameters(momentum=momentum, degree=3))
        truth = Propagator(BESSY2)(ring.lattice).dispersion[list(BESSY2.monitors), 0]
        for key, by in (("eta", 1.0), ("eta true", factor)):
            parts[key].append(np.abs(by * found.x_m - truth).max() / np.abs(truth).max())
        xi, first, second = scanned(ring, momentum)
        for key, by in (("xi", 1.0), ("xi true", factor)):
            parts[key].append(np.abs(by * xi.chromaticity / first - 1.0).max())
        for key, by in (("second", 1.0), ("second true", factor**2)):
            parts[key].append(np.abs(by * xi.second / second - 1.0).max())
    percent = {key: worst(values, "{:.2%}") for key, values in parts.items()}
    return [
        ("dispersion: largest error over largest dispersion", "1 %", percent["eta"]),
        ("the same with the true momentum compaction", "1 %", percent["eta true"]),
        ("chromaticity, first order: relative error", "1 %", percent["xi"]),
        ("the same with the true momentum compaction", "1 %", percent["xi true"]),
        ("chromaticity, second order: relative error", "5 %", percent["second"]),
        ("the same with the true momentum compaction", "5 %", percent["second true"]),
        ("momentum compaction: machine over model, less 1", "", percent["a"]),
    ]


def scanned(ring: NoisyRing, momentum: Momentum) -> tuple[ChromaticityOutcome, np.ndarray, np.ndarray]:
    """The chromaticities as they are measured, and the true ones of first and second order."""
    rf, _, tunes = off_momentum.scan(ring, 3.0, 31)
    data = ChromaticityData(rf_hz=rf, tune_x=tunes[:, 0], tune_y=tunes[:, 1], time_s=np.arange(31.0))
    return chromaticity(data, ChromaticityParameters(momentum=momentum, degree=4)), *off_momentum.true_chromaticity(
        ring
    )


def tunes() -> list[Row]:
    """Tune correction: three steps at a resolution of 2e-5."""
    left, wanted = [], np.array([17.855, 6.735])
    for seed in SEEDS:
        ring = NoisyRing(imperfect(BESSY2, seed), seed)
        for _ in range(3):
            measured = np.round(ring.tunes() / 2e-5) * 2e-5
            near = nearest_tunes(measured, wanted)
            working_point.proposed(ring, "tune", working_point.QUADRUPOLES, near, wanted)
        left.append(np.abs(ring.propagate(ring.lattice).tune - wanted).max())
    return [("tune correction: largest error after three steps", "1e-4", worst(left, "{:.1e}"))]


def orbit() -> list[Row]:
    """Orbit correction: six steps with the model's response."""
    over = []
    response = NoisyRing(BESSY2.nominal, 0).response(steering_supplies(BESSY2.nominal))
    for seed in SEEDS:
        ring = orbits.off_orbit(BESSY2, seed)
        orbits.correct(ring, response, orbits.PARAMETERS, 6)
        over.append(np.sqrt((ring.true_orbit() ** 2).mean()) / orbits.floor(ring) - 1.0)
    return [("orbit correction: rms over the least-squares floor, less 1", "5 %", worst(over, "{:.1%}"))]


def bump() -> list[Row]:
    """Closed bumps: leak after one iteration."""
    rows = []
    for name, case in bumps.CASES.items():
        leaks = []
        for seed in SEEDS:
            made = bumps.Bump(NoisyRing(imperfect(BESSY2, seed), seed), *case)
            for _ in range(2):
                made.make(closed_bump(made.data, ClosedBumpParameters(noise_mm=1e-3)))
            leaks.append(made.true_leak())
        rows.append((f"closed bump, {name}: leak", "1 %", worst(leaks, "{:.2%}")))
    return rows


def bba() -> list[Row]:
    """Beam based alignment of all quadrupoles."""
    figures: dict[str, list[float]] = {key: [] for key in ("u", "u pull", "median", "95", "pull")}
    quadrupoles = tuple(m.name for m in BESSY2.magnets if m.main == "k1")
    for seed in SEEDS:
        ring = alignment.machine(BESSY2, seed)
        found = alignment.found_in(ring, quadrupoles)
        position, offset = alignment.truth(ring, found)
        errors = np.array([found.x_mm, found.y_mm]) - position
        there = np.isfinite(offset)
        wrong = (np.array([found.offset_x_mm, found.offset_y_mm]) - offset)[there]
        stated = np.array([found.offset_x_error_mm, found.offset_y_error_mm])[there]
        figures["u"].append(1e3 * np.median(np.abs(errors)))
        figures["u pull"].append(np.std(errors / np.array([found.x_error_mm, found.y_error_mm])))
        figures["median"].append(1e3 * np.median(np.abs(wrong)))
        figures["95"].append(1e3 * np.percentile(np.abs(wrong), 95))
        figures["pull"].append(np.sqrt(np.mean((wrong / stated) ** 2)))
    return [
        ("beam in all 145 quadrupoles: median error [um]", "3", worst(figures["u"])),
        ("beam in quadrupoles: rms of errors over stated errors", "1", worst(figures["u pull"])),
        ("offsets of 97 monitors: median error [um]", "3", worst(figures["median"])),
        ("offsets of monitors: 95 % within [um]", "10", worst(figures["95"])),
        ("offsets of monitors: rms of errors over stated errors", "1", worst(figures["pull"])),
    ]


def bba_together() -> list[Row]:
    """Beam based alignment by supplies of their own, one quadrupole at a time and several."""
    rows: list[Row] = []
    own = {BESSY2: own_quadrupoles(BESSY2), shipped_machine("mls"): ("*",)}
    for ring, names in own.items():
        for together in (1, 4, 8):
            figures: dict[str, list[float]] = {key: [] for key in ("u", "95", "pull")}
            for seed in SEEDS:
                machine = alignment.machine(ring, seed)
                data, found = alignment.through_plan(machine, together, *names)
                errors = np.array([found.x_mm, found.y_mm]) - alignment.truth(machine, found)[0]
                figures["u"].append(1e3 * np.median(np.abs(errors)))
                figures["95"].append(1e3 * np.percentile(np.abs(errors), 95))
                figures["pull"].append(np.std(errors / np.array([found.x_error_mm, found.y_error_mm])))
            who = f"{ring.document.name}, {len(found.quadrupoles)} quadrupoles with own supplies, {together} at a time"
            rows += [
                (f"{who}: readings", "", f"{len(data.x_mm)}"),
                ("the same: beam in quadrupoles, median error [um]", "", worst(figures["u"])),
                ("the same: 95 % within [um]", "", worst(figures["95"])),
                ("the same: rms of errors over stated errors", "1", worst(figures["pull"])),
            ]
    return rows


def own_quadrupoles(ring: Ring) -> tuple[str, ...]:
    """Quadrupoles that a supply feeds alone."""
    fed = [fed_by(ring.nominal, supply) for supply in supplies_of(ring.nominal)]
    return tuple(each[0][0].name for each in fed if len(each) == 1 and each[0][0].main == "k1")


def dispersion_error(ring: NoisyRing, momentum: Momentum) -> float:
    """The largest error of a measured dispersion over its largest value, the monitors' true errors taken out."""
    lattice = ring.lattice
    bare = lattice.updated(
        {
            (bpm.name, key): value
            for bpm in BESSY2.bpms
            for key, value in (("gain_x", 1.0), ("gain_y", 1.0), ("roll", 0.0))
        }
    )
    rf, readings, _ = off_momentum.scan(NoisyRing(bare, 1), 1.5, 9)
    names = tuple(bpm.name for bpm in BESSY2.bpms)
    data = DispersionData(monitors=names, rf_hz=rf, x_mm=readings[:, 0], y_mm=readings[:, 1], time_s=np.arange(9.0))
    found = dispersion(data, DispersionParameters(momentum=momentum, degree=3))
    truth = Propagator(BESSY2)(lattice).dispersion[list(BESSY2.monitors), 0]
    return float(np.abs(found.x_m - truth).max() / np.abs(truth).max())


def optics() -> list[Row]:
    """Optics from closed orbits, with every fourth steerer, and their correction."""
    names = ("before", "error", "pull", "left", "floor", "over", "time", "compaction", "eta", "xi", "second")
    figures: dict[str, list[float]] = {key: [] for key in names}
    for seed in SEEDS:
        ring = DistortedOptics(BESSY2, seed, every=4)
        begin = process_time()
        found = fits.fitted(ring)
        figures["time"].append(process_time() - begin)
        beating = ring.beating(ring.lattice, BESSY2.nominal)
        error = ring.beating(ring.lattice, fitted_lattice(BESSY2.nominal, found))
        figures["before"].append(fits.rms(beating))
        figures["error"].append(fits.rms(error))
        figures["pull"].append(fits.rms((found.beta_m - ring.optics.beta) / found.beta_m / found.beating_error))
        lattice = fitted_lattice(BESSY2.nominal, found)
        figures["compaction"].append(off_momentum.compaction(lattice) / off_momentum.compaction(ring.lattice) - 1.0)
        # The same machine, measured with the momentum compaction of its fitted model.
        noisy, momentum = NoisyRing(ring.lattice, seed), momentum_of(lattice, error=FITTED_ERROR)
        xi, first, second = scanned(noisy, momentum)
        figures["xi"].append(np.abs(xi.chromaticity / first - 1.0).max())
        figures["second"].append(np.abs(xi.second / second - 1.0).max())
        figures["eta"].append(dispersion_error(noisy, momentum))
        left, floor = corrections.left(ring, found), corrections.left(ring, corrections.known(ring))
        for key, value in (("left", left), ("floor", floor), ("over", left / floor - 1.0)):
            figures[key].append(value)
    shown = ("before", "error", "left", "floor", "over", "compaction", "eta", "xi", "second")
    percent = {key: worst(figures[key], "{:.2%}") for key in shown}
    return [
        ("optics from closed orbits, 28 steerers: beta beating, rms", "", percent["before"]),
        ("the same: error of the predicted beating, rms", "0.5 %", percent["error"]),
        ("the same: rms of errors over stated errors", "1", worst(figures["pull"])),
        ("the same: time of one core [s]", "60", worst(figures["time"])),
        ("momentum compaction of the fitted model: relative error", "", percent["compaction"]),
        ("with it, dispersion: largest error over largest dispersion", "1 %", percent["eta"]),
        ("with it, chromaticity, first order: relative error", "1 %", percent["xi"]),
        ("with it, chromaticity, second order: relative error", "5 %", percent["second"]),
        ("optics correction by 54 supplies: beating left, rms", "", percent["left"]),
        ("the same with the truth known: the floor", "", percent["floor"]),
        ("optics correction: beating left over the floor, less 1", "20 %", percent["over"]),
    ]


def local_beta() -> list[Row]:
    """Quadrupole scans of all quadrupoles, without coupling and of role machine."""

    def uncoupled(seed: int) -> NoisyRing:
        return NoisyRing(imperfect(BESSY2, seed), seed, tune_noise=1e-5)

    def role_machine(seed: int) -> NoisyRing:
        return LosingRing(BESSY2, seed)

    rows: list[Row] = []
    for name, make in (("gradients off by 0.1 %", uncoupled), ("role machine", role_machine)):
        figures: dict[str, list[float]] = {key: [] for key in ("above", "within", "pull")}
        for seed in SEEDS:
            ring = make(seed)
            _, found = beam.measured(ring, "beta", readings=2)
            relative, pull = beam.beta_errors(ring, found)
            above = np.array([found.beta_x_m, found.beta_y_m]) > 5.0
            figures["above"].append(np.abs(relative[above]).max())
            figures["within"].append(np.percentile(np.abs(relative), 95))
            figures["pull"].append(np.sqrt(np.mean(pull**2)))
        largest, within = (worst(figures[key], "{:.2%}") for key in ("above", "within"))
        rows += [
            (f"beta in all 145 quadrupoles, {name}: 95 % within", "2 %", within),
            ("the same: largest error of those above 5 m", "2 %", largest),
            ("the same: rms of errors over stated errors", "1", worst(figures["pull"])),
        ]
    return rows


def apertures() -> list[Row]:
    """Walls at half apertures of 4.5 and 3 mm, on both sides."""
    rows = []
    for plane, wall in (("x", 4.5e-3), ("y", 3e-3)):
        errors, stated = [], []
        for seed in SEEDS:
            ring = LosingRing(BESSY2, seed, **beam.NARROW)
            data, found = beam.measured(ring, "aperture", place=beam.PLACE, plane=plane)
            errors.append(np.abs(beam.aperture_errors(ring, data, found, wall)).max(axis=1))
            stated.append(found.wall_error_mm.max())
        at_wall, at_lifetime = np.array(errors).T
        rows += [
            (f"aperture {plane}: largest error of a wall [mm]", "0.2", worst(at_wall)),
            (f"aperture {plane}: of the beam at a lifetime of 0.1 h [mm]", "0.2", worst(at_lifetime)),
            (f"aperture {plane}: stated error of a wall [mm]", "", worst(stated)),
        ]
    return rows


def loss_maps() -> list[Row]:
    """Resonances found in two regions, of those that take beam there."""
    missed, wrong, rates = [], [], []
    for seed in SEEDS:
        missing, other, off = 0, 0, 0.0
        for x, y, points in beam.REGIONS:
            ring = LosingRing(BESSY2, seed)
            _, found = beam.measured(ring, "losses", x=x, y=y, points=points, seconds=2.0)
            named = set(found.resonances)
            missing += len(beam.true_resonances(ring, found, 0.02) - named)
            other += len(named - beam.true_resonances(ring, found, 0.002))
            off = max(off, float(np.abs(found.resonance_rate / ring.true_losses.resonances[0].rate - 1.0).max()))
        missed.append(missing)
        wrong.append(other)
        rates.append(off)
    return [
        ("map of losses: resonances missed of those that take beam", "0", worst(missed, "{:.0f}")),
        ("map of losses: resonances named that take none", "0", worst(wrong, "{:.0f}")),
        ("map of losses: largest error of a resonance's rate", "", worst(rates, "{:.1%}")),
    ]


FIGURES: tuple[Callable[[], list[Row]], ...] = (
    orm,
    off,
    tunes,
    orbit,
    bump,
    bba,
    bba_together,
    optics,
    local_beta,
    apertures,
    loss_maps,
)

HEAD = """# Procedures against truth

Figures of the analyses on BESSY II with errors that the model does not know: gradients off by 0.1 %, quadrupoles
displaced by 10 um (for the orbit correction so that the orbit is 1 mm rms off, for the alignment by 30 um, and
monitors by 0.1 mm; for the optics gradients off by 0.15 %, gains by 2 %, rolls by 5 mrad), 1 um noise of a reading,
2e-5 of a tune. Truth is computed by the propagator. Each is the worst of {count} seeds, and in brackets the median.
The targets are asserted by the tests in `tests/unit/procedures/`; `python -m tools.procedure_targets` in `tests/`
writes this page.

| figure | target | worst (median) |
|---|---|---|
"""

TAIL = """
Dispersion and chromaticity are changes with the momentum deviation, which is not measured: it follows from the RF
frequency and the momentum compaction of the model. That of the machine differs, by 0.7 % rms where gradients are
off by 0.1 %, and it is a common factor of all of them; each outcome states it (`scale_error`). The rows with the
true momentum compaction show what the measurement itself does. No measured dispersion tells the factor: its integral
over the bending magnets per change of the RF frequency is the same whatever the momentum compaction is. A fit of the
optics does, since it knows the gradients: `--fit optics-fit` takes the momentum compaction from it.

The size of a quadrupole's effect on the orbit changes with the machine's beta functions. In beam based alignment it
comes from the steered orbits, whose movement in the quadrupole the monitors around it show. Several quadrupoles at a
time, with smaller changes by patterns of signs, take fewer readings for the same errors; four at a time is best.

A horizontal bump of three or four steerers that stand in dispersion lengthens the orbit, and at a fixed RF
frequency changes the momentum: without the RF frequency as one more knob, or more steerers, it leaks a quarter to a
half of its height in BESSY II.

Beta functions, apertures and losses are found by plan and analysis together, of role machine with its default errors: a
corrected orbit, noise and gains of monitors, tunes in steps of 2e-5 with 1e-5 noise, 1 uA noise of the current.

A gradient moves a tune by the difference of its mode's beta functions in both planes. On role machine, which is coupled
by rolls and vertical orbits in sextupoles, that is most of the error of a small beta function beside a large one, and
the stated error has it; one of the five seeds is coupled so much that a few values miss 2 %. The gain of a monitor,
1 %, is most of the error of a wall.

How the measurements are made, and what they need: [measure and correct](how-to/measure_and_correct.md).
"""


def page() -> str:
    """Compute all figures; return the page."""
    rows = "".join(f"| {name} | {target} | {found} |\n" for figure in FIGURES for name, target, found in figure())
    return HEAD.format(count=len(SEEDS)) + rows + TAIL


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
