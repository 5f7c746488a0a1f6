"""Faults of the beam: which act now, and what they do to it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from gnomon.fault_injection import (
    Active,
    BeamDump,
    BeamJump,
    BeamLifetime,
    BeamLoss,
    BeamNoOrbit,
    Fault,
    Injector,
    Lane,
)
from gnomon.ioc.app.fault_notes import FaultNotes
from gnomon.lattice import Lattice, Magnet, Ring
from gnomon.lattice.elements import PARAMETERS
from gnomon.propagator import Answer

GROUP = "beam"

DUMPED = "the beam was dumped"
NO_ORBIT = "no closed orbit: the search for one does not converge"

#: Property that a steerer drives in each plane, and the offset that makes a quadrupole kick there, with its sign.
STEERS = {"x": "kick_x", "y": "kick_y"}
OFFSETS = {"x": ("dx", 1.0), "y": ("dy", -1.0)}


@dataclass(frozen=True, slots=True)
class BeamEffects:
    """Effects of faults on the beam at one time.

    `kicks` are added to settings, by slot; `gone` is the reason why there is no beam, empty if there may be one;
    `lifetime` is a factor on it; `lost` are the fractions of the current that faults take now.
    """

    kicks: Mapping[int, float]
    gone: str
    lifetime: float
    lost: tuple[tuple[Fault, float], ...]


NONE = BeamEffects({}, "", 1.0, ())


def kicking_magnets(ring: Ring, request: BeamJump) -> list[Magnet]:
    """Find the steerers and quadrupoles of a plane that a fault may let kick the beam, in the order of the document."""
    column = PARAMETERS.index(STEERS[request.plane])
    return [
        magnet
        for magnet in ring.magnets
        if fnmatchcase(magnet.name, request.device)
        and (magnet.column == column or _bends_off_axis(ring, magnet, request.plane))
    ]


def _bends_off_axis(ring: Ring, magnet: Magnet, plane: str) -> bool:
    movable = (magnet.name, OFFSETS[plane][0]) in ring.properties
    return magnet.main == "k1" and movable and ring.nominal.strength(magnet) != 0.0


def kick(lattice: Lattice, magnet: Magnet, request: BeamJump) -> tuple[int, float]:
    """Return the setting, by slot, and what is added to it so that a magnet kicks the beam by the angle of a fault.

    A steerer gets the kick beside that of its current. A quadrupole of strength k1 and length L is moved by kick / (k1
    L), as x'' = -k1 (x - dx) and y'' = k1 (y - dy).
    """
    angle = 1e-3 * request.kick_mrad
    if magnet.main != "k1":
        return magnet.trim_slot, angle
    name, sign = OFFSETS[request.plane]
    slot = lattice.ring.property_spec(magnet.name, name).slot
    assert slot is not None  # an error is a setting
    strength = lattice.strength(magnet) or lattice.ring.nominal.strength(magnet)
    return slot, sign * angle / (strength * lattice.ring.elements[magnet.element].length)


class InjectedBeam:
    """Faults of the beam of one server, for the event loop."""

    def __init__(self, ring: Ring, injector: Injector, notes: FaultNotes) -> None:
        self._ring = ring
        self._injector = injector
        self._notes = notes
        self._kicks: dict[tuple[int, int], tuple[int, float]] = {}
        self._noted: set[tuple[int, int]] = set()

    def effects(self, lattice: Lattice) -> BeamEffects:
        """Return what faults do to the beam now; `lattice` is that of the setpoints."""
        acting = self._injector.on_occasion(GROUP)
        self._notes.occasions(GROUP, [active for active in acting if not isinstance(active.fault.request, BeamLoss)])
        keys = {(active.fault.id, active.times) for active in acting}
        for old in self._kicks.keys() - keys:
            del self._kicks[old]
        self._noted &= keys
        if not acting:
            return NONE
        kicks: dict[int, float] = {}
        lost: list[tuple[Fault, float]] = []
        gone, lifetime = "", 1.0
        for active in acting:
            match active.fault.request:
                case BeamDump():
                    gone = gone or DUMPED
                    self._begins(active)
                case BeamNoOrbit():
                    gone = gone or NO_ORBIT
                    self._begins(active)
                case BeamLifetime() as request:
                    lifetime *= request.factor
                    self._begins(active)
                case BeamJump() as request:
                    slot, by = self._kick(active, request, lattice)
                    kicks[slot] = kicks.get(slot, 0.0) + by
                case BeamLoss() as request:
                    lost.append((active.fault, request.fraction))
        return BeamEffects(kicks, gone, lifetime, tuple(lost))

    def note_loss(self, fault: Fault, before_ma: float, after_ma: float) -> None:
        """Note that a fault has taken a part of the current."""
        text = f"{before_ma:.3f} mA fell to {after_ma:.3f} mA" if before_ma > 0.0 else "no beam was there to be lost"
        self._notes.add(fault, f"acts: beam_loss: {text}")

    def _begins(self, active: Active) -> None:
        key = (active.fault.id, active.times)
        if key not in self._noted:
            self._noted.add(key)
            self._notes.add(active.fault, f"acts: {active.fault.request.effect()}")

    def _kick(self, active: Active, request: BeamJump, lattice: Lattice) -> tuple[int, float]:
        """Return the kick of a fault's occasion: its magnet is drawn, and moved, once."""
        key = (active.fault.id, active.times)
        if key not in self._kicks:
            magnets = kicking_magnets(self._ring, request)
            drawn = self._injector.draws.uniform(active.fault.id, active.times, Lane.CHOICE)
            magnet = magnets[int(drawn * len(magnets))]
            self._kicks[key] = kick(lattice, magnet, request)
            text = f"acts: beam_jump of {request.kick_mrad:g} mrad in {request.plane} by {magnet.name}"
            self._notes.add(active.fault, text)
        return self._kicks[key]


def without_beam(answer: Answer, reason: str) -> Answer:
    """Return an answer whose beam is gone for a reason, as the model gives it when it finds none."""
    if not reason or answer.beam is None or not answer.beam.found:
        return answer
    return replace(answer, beam=replace(answer.beam, found=False, reason=reason))
