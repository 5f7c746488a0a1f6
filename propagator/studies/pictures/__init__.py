"""Pictures of studies in one look, light and dark. matplotlib is imported when one is drawn, to files only."""

from gnomon.propagator.studies.pictures.aperture import plot_aperture
from gnomon.propagator.studies.pictures.comparison import plot_comparison
from gnomon.propagator.studies.pictures.orm import plot_orm
from gnomon.propagator.studies.pictures.style import Frame
from gnomon.propagator.studies.pictures.tune import plot_tune

__all__ = ["Frame", "plot_aperture", "plot_comparison", "plot_orm", "plot_tune"]
