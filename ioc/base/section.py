"""The base of all sections of the configuration."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

from gnomon.lattice.files import full_path


class Section(BaseModel):
    """A part of the configuration; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def beside(self, folder: Path) -> Self:
        """Take the file names in it, and in the sections below it, as relative to a folder."""
        full = {key: full_path(value, folder) for key, value in self if isinstance(value, Path)}
        below = {key: value.beside(folder) for key, value in self if isinstance(value, Section)}
        return self.model_copy(update={**full, **below})
