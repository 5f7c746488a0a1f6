"""Datasets of SciCat: what its interface takes to register a result, and the list of its files.

The fields, and which of them must be there, are those of `CreateDatasetDto` and `CreateDatasetOrigDatablockDto` of
SciCat's backend (https://github.com/SciCatProject/scicat-backend-next, release 5; tests compare with the client that
is generated from its OpenAPI document).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.nexus import read_run
from gnomon.procedures.registry import PROCEDURES
from gnomon.procedures.summaries import summarise
from gnomon.services.catalogue.catalogue_entry import CatalogueEntry, CatalogueError
from gnomon.services.catalogue.crate_contents import CratePart
from gnomon.services.catalogue.crate_metadata import WrittenFile

__all__ = ["ScicatDataset", "ScicatFacts", "scicat_document"]

#: Results of these procedures are computed from others.
DERIVED = ("optics-fit", "optics", "orbit", "working-point", "bump")
#: A moment with its time zone, as RFC 3339 has it.
Moment = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")]
Email = Annotated[str, Field(pattern=r"^[^@\s;]+@[^@\s;]+\.[^@\s;]+$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScicatRelationship(_Part):
    """A relation to something elsewhere."""

    identifier: str
    identifierType: str
    relationship: str
    entityType: str


class ScicatDataset(_Part):
    """The fields of a dataset that gnomon fills."""

    ownerGroup: Annotated[str, Field(min_length=1)]
    owner: str
    contactEmail: Email
    sourceFolder: Annotated[str, Field(pattern=r"^/")]
    size: int
    numberOfFiles: int
    creationTime: Moment
    datasetName: Annotated[str, Field(min_length=1)]
    description: str
    keywords: list[str]
    isPublished: bool = False
    type: Literal["raw", "derived"]
    scientificMetadata: dict[str, Any]
    creationLocation: Annotated[str, Field(pattern=r"^/[^/]+/[^/]+")]
    dataFormat: str
    principalInvestigators: list[str]
    startTime: Moment | None = None
    endTime: Moment | None = None
    proposalIds: list[str] | None = None
    inputDatasets: list[str] | None = None
    usedSoftware: list[str]
    license: str | None = None
    relationships: list[ScicatRelationship] = []


class ScicatFile(_Part):
    """A file of a dataset."""

    path: str
    size: int
    time: Moment
    chk: str


class ScicatFiles(_Part):
    """The files of a dataset, with the algorithm of their checksums."""

    size: int
    chkAlg: Literal["sha256"] = "sha256"
    dataFileList: Annotated[list[ScicatFile], Field(min_length=1)]


class ScicatFacts(_Part):
    """Facts that SciCat wants to know besides: group, address of a person to ask, facility, license."""

    owner_group: str
    contact_email: str
    facility: str
    license: str = ""


def scicat_document(part: CratePart, file: WrittenFile, folder: Path, facts: ScicatFacts) -> dict[str, Any]:
    """Make the document of a dataset and that of its files: `dataset` and `origdatablock`.

    `folder` is where the files are on the file server. Raises CatalogueError with the field that is wrong.
    """
    entry = part.entry
    if entry is None:
        raise CatalogueError(f"{part.path}: only what has an entry in the catalogue is a dataset")
    made = _moment(entry.made)
    try:
        dataset = ScicatDataset(
            ownerGroup=facts.owner_group,
            owner=entry.user or "unknown",
            contactEmail=facts.contact_email,
            sourceFolder=str(folder.absolute()),
            size=file.size,
            numberOfFiles=1,
            creationTime=_moment(entry.ended) if entry.ended else made,
            datasetName=entry.name,
            description="; ".join(filter(None, (f"{entry.title} of {entry.machine}", entry.note))),
            keywords=[entry.kind, *filter(None, (entry.procedure, entry.machine)), *entry.tags],
            isPublished=bool(entry.doi),
            type="derived" if entry.kind == "study" or entry.procedure in DERIVED else "raw",
            scientificMetadata=_scientific(entry),
            creationLocation=f"/{_place(facts.facility)}/{_place(Path(entry.machine).stem or 'unknown')}",
            dataFormat="NeXus HDF5" if part.encoding == "application/x-hdf5" else "JSON",
            principalInvestigators=[entry.user or "unknown"],
            startTime=made,
            endTime=_moment(entry.ended) if entry.ended else None,
            proposalIds=[entry.proposal] if entry.proposal else None,
            inputDatasets=list(entry.sources) or None,
            usedSoftware=[f"{name} {number}".strip() for name, number in entry.versions.items()] or ["gnomon"],
            license=facts.license or None,
            relationships=_relationships(entry),
        )
        files = ScicatFiles(
            size=file.size, dataFileList=[ScicatFile(path=file.path, size=file.size, time=made, chk=file.sha256)]
        )
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise CatalogueError(
            f"{entry.name}: SciCat's field {place}: {first['msg']}; it is {first['input']!r}"
        ) from error
    return {"dataset": dataset.model_dump(exclude_none=True), "origdatablock": files.model_dump(exclude_none=True)}


def _scientific(entry: CatalogueEntry) -> dict[str, Any]:
    """Collect what the experiment was and found, each as a value with its unit."""
    told: dict[str, Any] = {
        "identifier": entry.identifier, "machine": entry.machine, "machine document": entry.document,
        "prefix": entry.prefix, "lattice": entry.lattice, "optics": entry.optics, "procedure": entry.procedure,
        "status": entry.status,
    }  # fmt: skip
    found = {name: {"value": value, "unit": ""} for name, value in told.items() if value}
    if entry.kind == "result" and (entry.procedure in PROCEDURES or not entry.procedure):
        try:
            lines: Sequence[Any] = summarise(read_run(Path(entry.file)))
        except ProcedureError:
            lines = ()
        found |= {line.name: {"value": _number(line.value), "unit": line.unit} for line in lines}
    return found


def _relationships(entry: CatalogueEntry) -> list[ScicatRelationship]:
    found = [("Other", entry.identifier, "IsIdenticalTo")] + (
        [("DOI", entry.doi, "IsIdenticalTo")] if entry.doi else []
    )
    return [
        ScicatRelationship(identifier=text, identifierType=kind, relationship=what, entityType="Dataset")
        for kind, text, what in found
    ]


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _moment(text: str) -> str:
    """Return a time with a zone; what does not say one is UTC."""
    return text if text.endswith("Z") or text[-6:-5] in "+-" else f"{text}Z"


def _place(text: str) -> str:
    return text.strip().replace("/", "-").replace(" ", "-")
