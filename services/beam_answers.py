"""Answers from a lattice: propagation, optics, response. Pure: the same lattice and request give the same answer."""

import math
from fnmatch import fnmatchcase
from typing import Literal

import numpy as np

from gnomon.lattice import Lattice
from gnomon.lattice.tables import Table
from gnomon.propagator import BeamState, Propagator
from gnomon.propagator.ensembles import Ensemble, track
from gnomon.propagator.facade import NoBeamError, RingModel, optics_table, orbit_table
from gnomon.services.problems import ProblemError
from gnomon.services.service_documents import (
    ClosedOrbit,
    Coordinates,
    LatticeSettings,
    LatticeSummary,
    Loss,
    Observations,
    OpticsAnswer,
    Particle,
    PlanesAnswer,
    PropagateAnswer,
    PropagateRequest,
    ResponseAnswer,
    SettingValue,
    TableAnswer,
)

#: Order of a particle's coordinates in an ensemble.
COORDINATES = tuple(Particle.model_fields)


def summary(model: RingModel) -> LatticeSummary:
    """Describe a lattice."""
    ring = model.lattice.ring
    return LatticeSummary(
        id=model.id,
        machine=ring.name,
        title=ring.document.title,
        energy_ev=model.lattice.energy_ev,
        circumference_m=ring.circumference,
        elements=len(ring.elements),
        monitors=len(ring.bpms),
        changes=len(model.lattice.changed_slots(ring.nominal)),
    )


def settings(model: RingModel, device: str) -> LatticeSettings:
    """List the properties of the devices whose names match a pattern."""
    lattice = model.lattice
    found = [
        SettingValue(
            device=spec.device,
            property=spec.property,
            value=lattice[key],
            unit=spec.unit or "1",
            low=_finite(spec.low),
            high=_finite(spec.high),
            nominal=_finite(spec.nominal),
            read_only=spec.slot is None,
        )
        for key, spec in lattice.ring.properties.items()
        if fnmatchcase(spec.device, device)
    ]
    return LatticeSettings(lattice=model.id, settings=found)


def propagate(model: RingModel, asked: PropagateRequest, time_limit_s: float) -> PropagateAnswer:
    """Find the beam, and carry the particles around the ring; without a beam, particles are carried all the same."""
    lattice, wanted = model.lattice, asked.configuration
    beam = _beam(model, wanted.momentum)
    coordinates, losses = _tracked(lattice, asked, time_limit_s)
    observations = Observations()
    closed = None
    if beam.found:
        x, px, y, py = beam.orbit[0].tolist()
        closed = ClosedOrbit(x=x, px=px, y=y, py=py, delta=beam.delta)
        observe = wanted.observe
        observations = Observations(
            orbit=_orbit(lattice, beam) if "orbit" in observe else None,
            tunes=_planes(beam.tune) if "tunes" in observe else None,
            chromaticities=_planes(beam.chromaticity) if "chromaticities" in observe else None,
            monitor_optics=_optics(lattice, beam, "monitors") if "monitor_optics" in observe else None,
        )
    return PropagateAnswer(
        lattice=model.id,
        beam=beam.found,
        reason=beam.reason,
        closed_orbit=closed,
        phase_space=coordinates,
        losses=losses,
        observations=observations,
    )


def optics(model: RingModel, at: Literal["elements", "monitors"]) -> OpticsAnswer:
    """Tabulate orbit and optics. Raises ProblemError without a beam."""
    beam = _stored(model)
    return OpticsAnswer(
        lattice=model.id,
        tunes=_planes(beam.tune),
        chromaticities=_planes(beam.chromaticity),
        momentum_deviation=beam.delta,
        momentum_compaction=beam.momentum_compaction,
        table=_optics(model.lattice, beam, at),
    )


def response(
    model: RingModel, by: Literal["supply", "magnet"], hold: Literal["frequency", "momentum"]
) -> ResponseAnswer:
    """Compute the orbit response matrix. Raises ProblemError without a beam."""
    _stored(model)
    found = model.orm(by, hold=hold)
    return ResponseAnswer(
        lattice=model.id,
        monitors=list(found.names),
        knob=by,
        knobs=list(found.knobs),
        hold=hold,
        unit=found.unit,
        x=found.columns["x"].tolist(),
        y=found.columns["y"].tolist(),
    )


def _stored(model: RingModel) -> BeamState:
    try:
        return model.beam
    except NoBeamError as error:
        raise ProblemError(
            409,
            str(error),
            field="lattice",
            value=model.id,
            action="GET /v1/lattices/{id}/settings lists the settings; change them with POST /v1/updates",
        ) from error


def _beam(model: RingModel, momentum: Literal["frequency", "orbit"]) -> BeamState:
    """Find the beam; the one at the RF frequency is kept with the model."""
    if momentum == "frequency" and model.has_beam:
        return model.beam
    return Propagator(model.lattice.ring, momentum)(model.lattice)


def _tracked(lattice: Lattice, asked: PropagateRequest, time_limit_s: float) -> tuple[list[Coordinates], list[Loss]]:
    if not asked.phase_space:
        return [], []
    start = np.array([[getattr(particle, name) for name in COORDINATES] for particle in asked.phase_space]).T
    wanted = asked.configuration
    found = track(
        lattice, Ensemble(start), wanted.turns, cavities=wanted.cavities, threads=1, time_limit_s=time_limit_s
    )
    names = [element.name for element in lattice.ring.elements]
    lost = found.losses
    return (
        [
            Coordinates(**dict(zip(COORDINATES, map(_finite, column), strict=True)))
            for column in found.coordinates.T.tolist()
        ],
        [
            Loss(particle=particle, turn=turn, element=names[element])
            for particle, turn, element in zip(
                lost.particle.tolist(), lost.turn.tolist(), lost.element.tolist(), strict=True
            )
        ],
    )


def _orbit(lattice: Lattice, beam: BeamState) -> TableAnswer:
    """Tabulate the orbit as the monitors show it."""
    return _table(orbit_table(lattice, beam), "monitor", list(range(len(lattice.ring.bpms))))


def _optics(lattice: Lattice, beam: BeamState, at: Literal["elements", "monitors"]) -> TableAnswer:
    """Tabulate orbit and optics at the entrances of the elements, or at the monitors alone."""
    table = optics_table(lattice.ring, beam)
    rows = list(lattice.ring.monitors) if at == "monitors" else list(range(len(table.names)))
    return _table(table, "monitor" if at == "monitors" else table.axis, rows)


def _table(table: Table, axis: str, rows: list[int]) -> TableAnswer:
    return TableAnswer(
        axis=axis,
        names=[table.names[row] for row in rows],
        columns={name: column[rows].tolist() for name, column in table.columns.items()},
        units=dict(table.units),
    )


def _planes(values: "np.typing.NDArray[np.float64]") -> PlanesAnswer:
    x, y = map(_finite, values.tolist())
    return PlanesAnswer(x=x, y=y)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
