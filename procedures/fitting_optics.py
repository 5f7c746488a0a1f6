"""Optics from stored results: the outcomes of an orbit response and a dispersion become the data of a fit."""

from typing import Any

import numpy as np

from gnomon.lattice import Lattice
from gnomon.procedures import optics_fit
from gnomon.procedures.dispersion import DispersionOutcome
from gnomon.procedures.documents import Run
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.optics_fit import OpticsFitData, OpticsFitParameters
from gnomon.procedures.orbit_response import OrbitResponseOutcome
from gnomon.procedures.registry import typed
from gnomon.procedures.results import new_name

__all__ = ["fit_data", "fit_optics"]


def fit_data(
    orm: OrbitResponseOutcome, dispersion: DispersionOutcome | None, sources: tuple[str, ...]
) -> OpticsFitData:
    """Collect what was measured; without a dispersion the fit has to do without. Raises ProcedureError."""
    if dispersion is None:
        readings = errors = np.full((2, len(orm.monitors)), np.nan)
    else:
        if dispersion.monitors != orm.monitors:
            raise ProcedureError("orbit response and dispersion were measured with different monitors")
        readings = np.array([dispersion.x_per_khz, dispersion.y_per_khz])
        by_momentum = np.array([dispersion.x_m, dispersion.y_m])
        # Both are slopes of the same readings: their ratio is the change of momentum per kHz.
        valid = np.isfinite(readings) & np.isfinite(by_momentum)
        ratio = (readings * by_momentum)[valid].sum() / (by_momentum**2)[valid].sum()
        errors = np.abs(ratio) * np.array([dispersion.x_error_m, dispersion.y_error_m])
    return OpticsFitData(
        steerers=orm.steerers,
        setting_unit=orm.setting_unit,
        monitors=orm.monitors,
        x=orm.x,
        y=orm.y,
        x_error=orm.x_error,
        y_error=orm.y_error,
        dispersion=readings,
        dispersion_error=errors,
        sources=sources,
    )


def fit_optics(
    present: Lattice, model: Lattice, orm: Run, dispersion: Run | None, note: str = "", **options: Any
) -> Run:
    """Fit the optics about `model` to stored runs, with `options` of OpticsFitParameters.

    Raises ProcedureError if a run was not measured at the `present` settings, or is not of its kind.
    """
    found: list[Any] = []
    for run, kind in ((orm, "orm"), (dispersion, "dispersion")):
        if run is None:
            continue
        if run.procedure != kind or run.outcome is None:
            raise ProcedureError(f"{run.name} is not a finished result of {kind}")
        if run.provenance.settings_id_after != present.id:
            raise ProcedureError(f"{run.name} was measured at other settings than the present ones: measure again")
        found.append(typed(run)[2])
    sources = tuple(run.name for run in (orm, dispersion) if run is not None)
    data = fit_data(found[0], found[1] if len(found) > 1 else None, sources)
    parameters = OpticsFitParameters(model=optics_fit.settings_of(model), **options)
    return Run(
        name=new_name("optics-fit"),
        procedure="optics-fit",
        note=note,
        data=data.model_dump(),
        parameters=parameters.model_dump(),
        outcome=optics_fit.analyse(data, parameters).model_dump(),
    )
