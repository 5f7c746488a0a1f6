"""The pictures of a stored run, by its procedure. Pure."""

from collections.abc import Callable, Sequence
from typing import Any

from pydantic import ValidationError

from gnomon.procedures.documents import Run
from gnomon.procedures.registry import PROCEDURES, typed
from gnomon.services.dashboard.pictures.alignment_pictures import alignment_pictures
from gnomon.services.dashboard.pictures.figure_parts import Picture
from gnomon.services.dashboard.pictures.loss_pictures import (
    aperture_pictures,
    lifetime_pictures,
    loss_map_pictures,
)
from gnomon.services.dashboard.pictures.optics_pictures import (
    local_beta_pictures,
    optics_correction_pictures,
    optics_fit_pictures,
)
from gnomon.services.dashboard.pictures.orbit_pictures import (
    bump_pictures,
    dispersion_pictures,
    orbit_correction_pictures,
)
from gnomon.services.dashboard.pictures.picture_context import NO_CONTEXT, PictureContext
from gnomon.services.dashboard.pictures.plain_pictures import plain_pictures
from gnomon.services.dashboard.pictures.response_pictures import orbit_response_pictures
from gnomon.services.dashboard.pictures.tune_pictures import (
    chromaticity_pictures,
    tune_response_pictures,
    working_point_pictures,
)

__all__ = ["PICTURES", "is_typed", "run_pictures"]

#: What draws a run: its data, parameters and outcome as their types.
PICTURES: dict[str, Callable[[Any, Any, Any, PictureContext], Sequence[Picture]]] = {
    "orm": orbit_response_pictures,
    "dispersion": dispersion_pictures,
    "chromaticity": chromaticity_pictures,
    "tune-response": tune_response_pictures,
    "bba": alignment_pictures,
    "orbit": orbit_correction_pictures,
    "working-point": working_point_pictures,
    "bump": bump_pictures,
    "optics-fit": optics_fit_pictures,
    "optics": optics_correction_pictures,
    "beta": local_beta_pictures,
    "lifetime": lifetime_pictures,
    "aperture": aperture_pictures,
    "losses": loss_map_pictures,
}


def is_typed(run: Run) -> bool:
    """Tell whether a run has an outcome, and documents as its procedure has them now."""
    if run.outcome is None or run.procedure not in PROCEDURES:
        return False
    try:
        typed(run)
    except ValidationError:  # of another version of gnomon
        return False
    return True


def run_pictures(run: Run, context: PictureContext = NO_CONTEXT) -> Sequence[Picture]:
    """Draw a run. One without an outcome has no pictures; of one that is not typed, all arrays are drawn."""
    if run.outcome is None:
        return []
    beside = context.beside
    old = None if beside is None or beside.procedure != run.procedure else beside.outcome
    if not is_typed(run):
        return plain_pictures(run.outcome, context, old, "" if beside is None else beside.name)
    data, parameters, outcome = typed(run)
    assert outcome is not None
    draw = PICTURES.get(run.procedure)
    if draw is None:
        typed_old = None if beside is None or not is_typed(beside) else typed(beside)[2]
        return plain_pictures(outcome, context, typed_old, "" if beside is None else beside.name)
    return draw(data, parameters, outcome, context)
