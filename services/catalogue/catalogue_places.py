"""The places of a configuration where something is kept that has an identifier."""

import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from gnomon.ioc.base.config import Config
from gnomon.procedures.results import STUDIES

__all__ = ["CataloguePlaces"]


@dataclass(frozen=True, slots=True)
class CataloguePlaces:
    """The folder of results, and the configuration that knows the document store, recordings and calibrations."""

    results: Path
    config: Config

    @property
    def studies(self) -> Path:
        """Folder of kept studies."""
        return self.results / STUDIES

    @property
    def recordings(self) -> Path:
        """Folder of recordings."""
        return self.config.recordings()

    @property
    def calibrations(self) -> Path:
        """Folder of calibrations."""
        return self.config.calibrations()

    def index(self) -> Path:
        """Return the file of the index: within the folder of results, or in the user's cache if that is not theirs."""
        if self.results.is_dir() and os.access(self.results, os.W_OK):
            return self.results / ".catalogue" / "index.sqlite"
        cache = os.environ.get("XDG_CACHE_HOME", "")
        folder = Path(cache) if cache else Path.home() / ".cache"
        label = sha256(str(self.results.absolute()).encode()).hexdigest()[:16]
        return folder / "gnomon" / f"catalogue-{label}.sqlite"
