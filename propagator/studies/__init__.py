"""Studies of a machine without a server: computations, result files and pictures."""

from gnomon.propagator.studies.aperture_study import aperture_result
from gnomon.propagator.studies.fixed_momentum import Inside, optics_inside, tune_scan
from gnomon.propagator.studies.lattice_comparison import Version, study_comparison
from gnomon.propagator.studies.match_result import study_match
from gnomon.propagator.studies.matching import Bump, Match, Target, chosen_supplies, match, settings_of
from gnomon.propagator.studies.orm_study import steering_supplies, study_orm
from gnomon.propagator.studies.picture_window import cells_of, window_of
from gnomon.propagator.studies.pictures import (
    Frame,
    ReviewCurves,
    plot_aperture,
    plot_comparison,
    plot_orm,
    plot_review_beating,
    plot_review_orbit,
    plot_review_setpoints,
    plot_review_tunes,
    plot_tune,
)
from gnomon.propagator.studies.result_files import (
    Quantity,
    StudyError,
    StudyResult,
    check_output,
    check_plot,
    read_study,
    read_study_head,
    result_document,
    signed,
    write_result,
)
from gnomon.propagator.studies.study_parts import Say
from gnomon.propagator.studies.study_warmup import (
    compile_response_kernels,
    compile_study_kernels,
    compile_tracking_kernels,
    mark_study_kernels_cached,
    study_kernels_are_cached,
)
from gnomon.propagator.studies.tune_study import study_tune

__all__ = [
    "Bump",
    "Frame",
    "Inside",
    "Match",
    "Quantity",
    "ReviewCurves",
    "Say",
    "StudyError",
    "StudyResult",
    "Target",
    "Version",
    "aperture_result",
    "cells_of",
    "check_output",
    "check_plot",
    "chosen_supplies",
    "compile_response_kernels",
    "compile_study_kernels",
    "compile_tracking_kernels",
    "mark_study_kernels_cached",
    "match",
    "optics_inside",
    "plot_aperture",
    "plot_comparison",
    "plot_orm",
    "plot_review_beating",
    "plot_review_orbit",
    "plot_review_setpoints",
    "plot_review_tunes",
    "plot_tune",
    "read_study",
    "read_study_head",
    "result_document",
    "settings_of",
    "signed",
    "steering_supplies",
    "study_comparison",
    "study_kernels_are_cached",
    "study_match",
    "study_orm",
    "study_tune",
    "tune_scan",
    "window_of",
    "write_result",
]
