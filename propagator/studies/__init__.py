"""Studies of a machine that need no server: computations, their files and their pictures."""

from gnomon.propagator.studies.plots import plot_orm, plot_tune
from gnomon.propagator.studies.result_files import (
    Quantity,
    StudyError,
    StudyResult,
    check_output,
    check_plot,
    write_result,
)
from gnomon.propagator.studies.studies import Say, aperture_result, optics_named, study_orm, study_tune
from gnomon.propagator.studies.study_warmup import compile_study_kernels, study_kernels_are_cached

__all__ = [
    "Quantity",
    "Say",
    "StudyError",
    "StudyResult",
    "aperture_result",
    "check_output",
    "check_plot",
    "compile_study_kernels",
    "optics_named",
    "plot_orm",
    "plot_tune",
    "study_kernels_are_cached",
    "study_orm",
    "study_tune",
    "write_result",
]
