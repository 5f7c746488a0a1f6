"""The machine of role machine: an ideal lattice to everybody who asks, and a beam that its hidden errors make."""

import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gnomon.fault_injection.errors import ErrorSizes, MachineErrors, TrueLattices, draw_errors, true_document
from gnomon.ioc.app import initial_state
from gnomon.ioc.app.imperfect.assembly import monitor_errors
from gnomon.ioc.app.imperfect.correction import CorrectedMachine, Corrector
from gnomon.ioc.app.initial_state import InitialState
from gnomon.ioc.base.config import ImperfectionsConfig
from gnomon.lattice import DocumentError, GnomonError, Lattice, MachineDocument, Ring
from gnomon.lattice.exchange import render
from gnomon.propagator import BeamState, Compute, Propagator

Floats = NDArray[np.float64]

__all__ = [
    "CorrectionError",
    "ImperfectMachine",
    "as_operators_left_it",
    "error_sizes",
    "machine_errors",
    "write_true_document",
]

#: Smallest step from the ideal machine to the true one, as a part of all errors.
SMALLEST_STEP = 1.0 / 64.0


class CorrectionError(GnomonError):
    """A machine whose errors are so large that nobody could have stored a beam."""


def error_sizes(config: ImperfectionsConfig) -> ErrorSizes:
    """Return the sizes of the errors that a configuration asks for."""
    given = config.errors.model_dump()
    without_units = {name.removesuffix("_rad").removesuffix("_m"): value for name, value in given.items()}
    gap = without_units.pop("girder_gap")
    monitors = config.monitors
    return ErrorSizes(
        **without_units,
        girder_gap_m=gap,
        monitor_x=monitors.offset_m,
        monitor_y=monitors.offset_m,
        monitor_gain_x=monitors.gain,
        monitor_gain_y=monitors.gain,
        monitor_roll=monitors.roll_rad,
    ).scaled(config.scale)


def machine_errors(document: MachineDocument, config: ImperfectionsConfig) -> MachineErrors:
    """Draw the hidden errors of the machine that a configuration asks for."""
    return draw_errors(document, config.seed, error_sizes(config))


def write_true_document(document: MachineDocument, errors: MachineErrors, file: Path) -> None:
    """Write the machine document with the true values. Raises DocumentError where the file cannot be written."""
    note = f"true values of the machine with seed {errors.seed}: for evaluation alone"
    true = true_document(document, errors).model_copy(update={"notes": (*document.notes, note)})
    text = render(json.loads(true.model_dump_json(by_alias=True, exclude_defaults=True)))
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DocumentError(f"{file}: cannot be written: {error}") from error


@dataclass(frozen=True, eq=False)
class ImperfectMachine:
    """A ring and the errors that the machine which it describes really has."""

    ring: Ring
    errors: MachineErrors
    momentum: Literal["orbit", "frequency"] = "frequency"

    @classmethod
    def of(cls, ring: Ring, config: ImperfectionsConfig, momentum: Literal["orbit", "frequency"]) -> "ImperfectMachine":
        """Make the machine that a configuration asks for."""
        return cls(ring, machine_errors(ring.document, config), momentum)

    @cached_property
    def _true(self) -> TrueLattices:
        """The true lattices, with the whole errors; to build a ring takes longer than to find its beam."""
        return TrueLattices(self.ring, self.errors)

    def propagator(self) -> Compute:
        """Make a function from a version of the ideal lattice to the true beam. Not for several threads at once."""
        true = self._true
        propagate = Propagator(true.ring, self.momentum)

        def beam(lattice: Lattice) -> BeamState:
            # To everybody who asks it is the beam of the lattice that was set.
            return replace(propagate(true(lattice)), lattice_id=lattice.id)

        return beam

    def corrected(self, tune: Floats) -> CorrectedMachine:
        """Correct the orbit, and the tunes to `tune` (2,), from the nominal settings.

        Raises CorrectionError when no beam can be stored.

        Where the whole errors leave no beam, or none that can be corrected, they grow in steps with a correction after
        each: this is what commissioning does with magnets that it aligns better. What is best then counts.
        """
        lattice, done, step = self.ring.nominal, 0.0, 1.0
        best: CorrectedMachine | None = None
        while step > SMALLEST_STEP:
            part = min(1.0, done + step)
            errors = self.errors.scaled(part)
            true = self._true if part == 1.0 else TrueLattices(self.ring, errors)
            monitors = monitor_errors(self.ring, errors)
            corrector = Corrector(true, Propagator(true.ring, self.momentum), lattice, tune, monitors)
            found = corrector.correct(lattice, loosely=part < 1.0)
            if part == 1.0:
                if found.good_enough:
                    return found
                if found.stored and (best is None or max(found.rms_m) < max(best.rms_m)):
                    best = found
            elif found.reached:
                lattice, done, step = found.lattice, part, 2.0 * step
                continue
            step = 0.5 * min(step, part - done)
        if best is None:
            raise CorrectionError(
                f"{self.ring.name}, seed {self.errors.seed}: no settings were found that store a beam with more than "
                f"{100 * done:.3g} % of the hidden errors; make imperfections.scale smaller"
            )
        return best


def as_operators_left_it(machine: ImperfectMachine) -> InitialState:
    """Begin with a corrected orbit and the nominal tunes, and say what the monitors then show. Raises CorrectionError.

    A ring that stores no beam with nominal settings, not even without errors, begins with these.
    """
    ideal = Propagator(machine.ring, machine.momentum)(machine.ring.nominal)
    if not ideal.found:
        note = f"nothing was corrected: without errors there is no beam either: {ideal.reason}"
        return initial_state.nominal(machine.ring, note)
    found = machine.corrected(ideal.tune)
    (x, y), (tune_x, tune_y) = found.rms_m, found.tune
    note = f"corrected: orbit {1e3 * x:.3f} and {1e3 * y:.3f} mm rms, tunes {tune_x:.4f} and {tune_y:.4f}"
    return initial_state.from_lattice(found.lattice, note)
