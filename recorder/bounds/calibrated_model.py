"""The model of a machine with calibrated parameters: a beam for the machine's settings, about the calibration's own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice import Key, Lattice, Magnet
from gnomon.propagator import BeamState, Propagator
from gnomon.recorder.bounds.effects import Change, Effects
from gnomon.recorder.bounds.parameters import ParameterKind, ParameterSpace

Floats = NDArray[np.float64]


@dataclass(eq=False)
class CalibratedModel:
    """A model about the lattice of `space`, at which the machine had the settings `baseline`.

    The machine's steerers correct errors that no model has: at its own settings a model may have no beam. What counts
    is the change from the baseline, which is made about the reference, with the gains of `values` (decision 105). Not
    for use by several threads at once.
    """

    space: ParameterSpace
    baseline: Lattice
    values: Floats
    propagate: Propagator = field(repr=False)
    kept: int = 8
    _known: dict[str, BeamState] = field(default_factory=dict, repr=False)
    _baseline: dict[Key, float] = field(default_factory=dict, repr=False)

    @cached_property
    def reference(self) -> Lattice:
        """The reference lattice with the errors of the calibrated magnets. Raises LatticeError."""
        reference = self.space.lattice
        errors = self.space.magnet_settings(reference, self.values)
        return reference.updated(errors) if errors else reference

    @cached_property
    def effects(self) -> Effects:
        """Derivatives about the reference. Raises NoDerivative without a beam."""
        return Effects.about(self.propagate, self.space, self.reference, self.values)

    @cached_property
    def _gains(self) -> Mapping[str, float]:
        """Relative errors of what supplies change, by name; steerers on one supply share theirs."""
        space, kinds = self.space, ParameterKind
        gains = dict(zip(space.supplies, space.part(self.values, kinds.SUPPLY_GAIN).tolist(), strict=True))
        for magnet, gain in zip(space.steerers, space.part(self.values, kinds.STEERER_GAIN).tolist(), strict=True):
            gains.setdefault(magnet.supply, gain)
        return gains

    @cached_property
    def _fed(self) -> Mapping[str, tuple[tuple[Magnet, float], ...]]:
        """Quadrupoles of each supply, with the relative errors of their gradients."""
        fed: dict[str, list[tuple[Magnet, float]]] = {}
        errors = self.space.part(self.values, ParameterKind.GRADIENT).tolist()
        for magnet, error in zip(self.space.quadrupoles, errors, strict=True):
            fed.setdefault(magnet.supply, []).append((magnet, error))
        return {supply: tuple(magnets) for supply, magnets in fed.items()}

    def present(self, settings: Mapping[Key, float], key: Key) -> float:
        """Return a setting of the machine; the baseline's if it is not given."""
        value = settings.get(key)
        if value is not None:
            return value
        known = self._baseline.get(key)
        if known is None:
            known = self._baseline[key] = self.baseline[key]
        return known

    def lattice(self, settings: Mapping[Key, float]) -> Lattice:
        """Return the model's lattice for settings of the machine; those that are not given are the baseline's.

        Raises LatticeError for settings that the model cannot have.
        """
        moved: dict[Key, float] = {}
        known = self._baseline
        for key, value in settings.items():
            at = known.get(key)
            change = value - (self.present({}, key) if at is None else at)
            if change:
                moved[key] = self.reference[key] + change * (1.0 + self._gains.get(key[0], 0.0))
        if not moved:
            return self.reference
        lattice = self.reference.updated(moved)
        trims = {
            (magnet.name, "k1_trim"): lattice[magnet.name, "k1_trim"] + error * change
            for supply in {device for device, _ in moved}
            for magnet, error in self._fed.get(supply, ())
            if error and (change := lattice.strength(magnet) - self.reference.strength(magnet))
        }
        return lattice.updated(trims) if trims else lattice

    def beam(self, lattice: Lattice) -> BeamState:
        """Compute the beam of a lattice; the `kept` ones that were asked for last are known."""
        beam = self._known.pop(lattice.id, None)
        if beam is None:
            beam = self.propagate(lattice)
            if len(self._known) >= self.kept:
                del self._known[next(iter(self._known))]
        self._known[lattice.id] = beam
        return beam

    def beams(
        self, settings: Mapping[Key, float], changes: Mapping[Key, float]
    ) -> tuple[tuple[Lattice, Lattice], tuple[BeamState, BeamState]]:
        """Return lattices and beams before and after changes. Raises LatticeError for settings that it cannot have."""
        before, after = self.lattice(settings), self.lattice({**settings, **changes})
        return (before, after), (self.beam(before), self.beam(after))

    def change(self, settings: Mapping[Key, float], changes: Mapping[Key, float]) -> tuple[Change | None, str]:
        """Compute what changes do to the model's beam; None and the reason where it has no beam.

        Raises LatticeError for settings that the model cannot have.
        """
        lattices, beams = self.beams(settings, changes)
        return self.compare(lattices, beams)

    def compare(
        self, lattices: tuple[Lattice, Lattice], beams: tuple[BeamState, BeamState]
    ) -> tuple[Change | None, str]:
        """Compare lattices and their beams; None and the reason where there is no beam."""
        for beam, when in zip(beams, ("before", "after"), strict=True):
            if not beam.found:
                return None, f"the model has no beam {when} the command: {beam.reason}"
        return Change.between(self.space, lattices, beams), ""
