"""One entry of the catalogue: the administrative and scientific metadata of something that is kept, in one form."""

from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field

from gnomon.lattice import GnomonError

__all__ = ["CatalogueEntry", "CatalogueError", "RemovedError", "Unread"]


class CatalogueError(GnomonError):
    """Something that the catalogue does not have, or a file that cannot be used as asked."""


class RemovedError(CatalogueError):
    """Something that was removed, with the reason."""


class CatalogueEntry(BaseModel):
    """Everything known about a result, study, recording, snapshot or calibration, whatever its file is like."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    identifier: str = Field(description="gnomon:KIND/HASH, of the content")
    kind: str = Field(description="result, study, recording, snapshot or calibration")
    name: str = Field(description="name under which its own commands know it")
    title: str = Field(default="", description="what it is, in words")
    procedure: str = Field(default="", description="procedure of a result, or study")
    status: str = Field(default="", description="of a result: done, failed or stopped; of a snapshot: its revision")
    made: str = Field(description="time when it began, or was made; UTC, ISO 8601")
    ended: str = ""
    user: str = Field(default="", description="who made it, as their computer states")
    proposal: str = Field(default="", description="proposal or shift that it belongs to")
    machine: str = ""
    document: str = Field(default="", description="digest of the machine document")
    prefix: str = ""
    lattice: str = Field(default="", description="id of the lattice")
    optics: str = ""
    note: str = Field(default="", description="note, purpose or comment")
    doi: str = Field(default="", description="digital object identifier, if it has been published")
    tags: tuple[str, ...] = ()
    sources: tuple[str, ...] = Field(default=(), description="identifiers or names of what it was made from")
    versions: dict[str, str] = Field(default_factory=dict, description="versions of programs, by name")
    file: str = Field(description="file that has it")
    size: int = Field(default=0, description="size of the file [bytes]; 0 if the file is shared")

    @property
    def made_us(self) -> int:
        """Time when it was made [us since 1970]; 0 if it is not known."""
        try:
            moment = datetime.fromisoformat(self.made)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            return max(0, int(moment.timestamp() * 1e6))
        except (ValueError, OverflowError):
            return 0


class Unread(BaseModel):
    """A file that the catalogue leaves out, and the reason."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str
    reason: str
