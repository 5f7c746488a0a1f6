"""Pictures of studies in one style, light and dark. They are drawn to files; matplotlib is imported on first use."""

from gnomon.propagator.studies.pictures.aperture_picture import plot_aperture
from gnomon.propagator.studies.pictures.comparison_picture import plot_comparison
from gnomon.propagator.studies.pictures.orm_picture import plot_orm
from gnomon.propagator.studies.pictures.review_pictures import (
    ReviewCurves,
    plot_review_beating,
    plot_review_orbit,
    plot_review_setpoints,
    plot_review_tunes,
)
from gnomon.propagator.studies.pictures.style import Frame
from gnomon.propagator.studies.pictures.tune_picture import plot_tune

__all__ = [
    "Frame",
    "ReviewCurves",
    "plot_aperture",
    "plot_comparison",
    "plot_orm",
    "plot_review_beating",
    "plot_review_orbit",
    "plot_review_setpoints",
    "plot_review_tunes",
    "plot_tune",
]
