"""All procedures by name: their documents, their analysis, and what their files show first."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gnomon.lattice.near_names import near_names_hint
from gnomon.procedures import (
    aperture,
    beam_based_alignment,
    beam_lifetimes,
    chromaticity,
    closed_bump,
    dispersion,
    local_beta,
    loss_map,
    optics_correction,
    optics_fit,
    orbit_correction,
    orbit_response,
    tune_response,
    working_point,
)
from gnomon.procedures.documents import Data, Outcome, Parameters, Run
from gnomon.procedures.errors import ProcedureError

__all__ = ["PROCEDURES", "Procedure", "find_procedure", "reanalyse", "register", "typed"]


@dataclass(frozen=True, slots=True)
class Procedure:
    """A procedure: types of its documents, its analysis, and the plot: part, fields, field of the abscissa or none."""

    name: str
    title: str
    data: type[Data]
    parameters: type[Parameters]
    outcome: type[Outcome]
    analyse: Callable[[Any, Any], Outcome]
    plot: tuple[str, tuple[str, ...], str]


_ALL = (
    Procedure(
        "orm",
        "orbit response matrix",
        orbit_response.OrbitResponseData,
        orbit_response.OrbitResponseParameters,
        orbit_response.OrbitResponseOutcome,
        orbit_response.analyse,
        ("outcome", ("x", "y"), ""),
    ),
    Procedure(
        "dispersion",
        "dispersion at the monitors",
        dispersion.DispersionData,
        dispersion.DispersionParameters,
        dispersion.DispersionOutcome,
        dispersion.analyse,
        ("outcome", ("x_m", "y_m"), ""),
    ),
    Procedure(
        "chromaticity",
        "chromaticity of first and second order",
        chromaticity.ChromaticityData,
        chromaticity.ChromaticityParameters,
        chromaticity.ChromaticityOutcome,
        chromaticity.analyse,
        ("data", ("tune_x", "tune_y"), "rf_hz"),
    ),
    Procedure(
        "tune-response",
        "response of the tunes to power supplies",
        tune_response.TuneResponseData,
        tune_response.TuneResponseParameters,
        tune_response.TuneResponseOutcome,
        tune_response.analyse,
        ("outcome", ("tune",), ""),
    ),
    Procedure(
        "bba",
        "beam based alignment",
        beam_based_alignment.AlignmentData,
        beam_based_alignment.AlignmentParameters,
        beam_based_alignment.AlignmentOutcome,
        beam_based_alignment.analyse,
        ("outcome", ("offset_x_mm", "offset_y_mm"), ""),
    ),
    Procedure(
        "orbit",
        "orbit correction",
        orbit_correction.OrbitCorrectionData,
        orbit_correction.OrbitCorrectionParameters,
        orbit_correction.OrbitCorrectionOutcome,
        orbit_correction.analyse,
        ("outcome", ("expected_x_mm", "expected_y_mm"), ""),
    ),
    Procedure(
        "working-point",
        "correction of tunes or chromaticities",
        working_point.WorkingPointData,
        working_point.WorkingPointParameters,
        working_point.WorkingPointOutcome,
        working_point.analyse,
        ("outcome", ("changes",), ""),
    ),
    Procedure(
        "bump",
        "closed bump",
        closed_bump.ClosedBumpData,
        closed_bump.ClosedBumpParameters,
        closed_bump.ClosedBumpOutcome,
        closed_bump.analyse,
        ("outcome", ("expected_mm",), ""),
    ),
    Procedure(
        "optics-fit",
        "optics from closed orbits",
        optics_fit.OpticsFitData,
        optics_fit.OpticsFitParameters,
        optics_fit.OpticsFitOutcome,
        optics_fit.analyse,
        ("outcome", ("beating",), ""),
    ),
    Procedure(
        "optics",
        "correction of the optics",
        optics_correction.OpticsCorrectionData,
        optics_correction.OpticsCorrectionParameters,
        optics_correction.OpticsCorrectionOutcome,
        optics_correction.analyse,
        ("outcome", ("changes",), ""),
    ),
    Procedure(
        "beta",
        "local beta functions by quadrupole scans",
        local_beta.LocalBetaData,
        local_beta.LocalBetaParameters,
        local_beta.LocalBetaOutcome,
        local_beta.analyse,
        ("outcome", ("beta_x_m", "beta_y_m"), "s_m"),
    ),
    Procedure(
        "lifetime",
        "lifetime of the stored beam",
        beam_lifetimes.LifetimeData,
        beam_lifetimes.LifetimeParameters,
        beam_lifetimes.LifetimeOutcome,
        beam_lifetimes.analyse,
        ("data", ("current_ma",), "time_s"),
    ),
    Procedure(
        "aperture",
        "aperture and lifetime by a closed bump",
        aperture.ApertureData,
        aperture.ApertureParameters,
        aperture.ApertureOutcome,
        aperture.analyse,
        ("outcome", ("rate",), "displacement_mm"),
    ),
    Procedure(
        "losses",
        "losses over a region of working points",
        loss_map.LossMapData,
        loss_map.LossMapParameters,
        loss_map.LossMapOutcome,
        loss_map.analyse,
        ("outcome", ("rate",), ""),
    ),
)

#: Procedures by name.
PROCEDURES = {procedure.name: procedure for procedure in _ALL}


def register(procedure: Procedure) -> None:
    """Make the procedure of a user script known, or its new version."""
    PROCEDURES[procedure.name] = procedure


def find_procedure(name: str) -> Procedure:
    """Find a procedure by name. Raises ProcedureError with near names."""
    if name not in PROCEDURES:
        raise ProcedureError(
            f"there is no procedure {name!r}{near_names_hint(name, list(PROCEDURES))}; those of user scripts are "
            "known where the configuration names their folder (services.scripts)"
        )
    return PROCEDURES[name]


def typed(run: Run) -> tuple[Data, Parameters, Outcome | None]:
    """Return a run's documents as their types. Raises pydantic's ValidationError if they are not."""
    procedure = find_procedure(run.procedure)
    outcome = None if run.outcome is None else procedure.outcome.model_validate(run.outcome)
    return procedure.data.model_validate(run.data), procedure.parameters.model_validate(run.parameters), outcome


def reanalyse(run: Run) -> Outcome:
    """Analyse a run's raw data again, with its parameters: the same outcome, bit for bit, with the same versions."""
    data, parameters, _ = typed(run)
    return find_procedure(run.procedure).analyse(data, parameters)
