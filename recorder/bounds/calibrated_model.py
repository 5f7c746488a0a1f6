"""The model of a machine with calibrated parameters: a beam for the machine's settings, about the calibration's own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice import Key, Lattice, Magnet
from gnomon.propagator import BeamState, Propagator
from gnomon.recorder.bounds.effects import BeamAt, Change, Effects
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
    # Changes of the reference's settings, for a state to which the machine has drifted.
    shift: Mapping[Key, float] = field(default_factory=dict, repr=False)
    _shifted: dict[tuple[int, ...], "CalibratedModel"] = field(default_factory=dict, repr=False)
    _known: dict[str, BeamAt] = field(default_factory=dict, repr=False)
    _baseline: dict[Key, float] = field(default_factory=dict, repr=False)
    # The settings that were asked for last, and those of the model that they move.
    _last: tuple[dict[Key, float], dict[Key, float]] = field(default_factory=lambda: ({}, {}), repr=False)

    @cached_property
    def reference(self) -> Lattice:
        """The reference lattice with the errors of the calibrated magnets. Raises LatticeError."""
        reference = self.space.lattice
        errors = self.space.magnet_settings(reference, self.values)
        reference = reference.updated(errors) if errors else reference
        moved = {key: reference[key] + by for key, by in self.shift.items()}
        return reference.updated(moved) if moved else reference

    def shifted(self, name: tuple[int, ...], shift: Mapping[Key, float]) -> "CalibratedModel":
        """Return the same model about a reference with some settings changed by `shift`, which `name` identifies.

        Of the last `kept` of them it knows what they have computed.
        """
        known = self._shifted.pop(name, None)
        if known is None:
            known = CalibratedModel(self.space, self.baseline, self.values, self.propagate, self.kept, shift)
            known._known = self._known
            if len(self._shifted) >= self.kept:
                del self._shifted[next(iter(self._shifted))]
        self._shifted[name] = known
        return known

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
        return self._lattice(self._moved(settings))

    def _moved(self, settings: Mapping[Key, float]) -> dict[Key, float]:
        """Return the settings of the model that are not the reference's; equal ones to the last are known."""
        if settings == self._last[0]:
            return self._last[1]
        moved = dict(each for key, value in settings.items() if (each := self._moved_key(key, value)) is not None)
        self._last = dict(settings), moved
        return moved

    def _moved_key(self, key: Key, value: float) -> tuple[Key, float] | None:
        known = self._baseline.get(key)
        change = value - (self.present({}, key) if known is None else known)
        return (key, self.reference[key] + change * (1.0 + self._gains.get(key[0], 0.0))) if change else None

    def _lattice(self, moved: Mapping[Key, float]) -> Lattice:
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
        return self._at(lattice).beam

    def _at(self, lattice: Lattice) -> BeamAt:
        known = self._known.pop(lattice.id, None)
        if known is None:
            known = BeamAt.of(self.space, lattice, self.propagate(lattice))
            if len(self._known) >= self.kept:
                del self._known[next(iter(self._known))]
        self._known[lattice.id] = known
        return known

    def beams(self, settings: Mapping[Key, float], changes: Mapping[Key, float]) -> tuple[BeamAt, BeamAt]:
        """Return the beams before and after changes. Raises LatticeError for settings that the model cannot have."""
        moved = self._moved(settings)
        after = {key: value for key, value in moved.items() if key not in changes}
        after |= dict(each for key, value in changes.items() if (each := self._moved_key(key, value)) is not None)
        lattices = self._lattice(moved), self._lattice(after)
        return self._at(lattices[0]), self._at(lattices[1])

    def change(self, settings: Mapping[Key, float], changes: Mapping[Key, float]) -> tuple[Change | None, str]:
        """Compute what changes do to the model's beam; None and the reason where it has no beam.

        Raises LatticeError for settings that the model cannot have.
        """
        return self.compare(*self.beams(settings, changes))

    def compare(self, before: BeamAt, after: BeamAt) -> tuple[Change | None, str]:
        """Compare two beams; None and the reason where there is no beam."""
        for at, when in ((before, "before"), (after, "after")):
            if not at.beam.found:
                return None, f"the model has no beam {when} the command: {at.beam.reason}"
        return Change.between(before, after), ""
