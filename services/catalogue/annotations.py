"""Annotations: what is said about something after it was made: DOI, tags, proposal. Its own file never changes."""

import json
import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from gnomon.lattice import DocumentError, parse_document
from gnomon.lattice.files import read_bounded
from gnomon.lattice.identifiers import Identifier, parse_identifier
from gnomon.services.catalogue.catalogue_entry import CatalogueError

__all__ = ["FOLDER", "Annotation", "annotation_file", "read_annotation", "write_annotation"]

#: Folder of annotations within that of results, and the largest file that is read [bytes].
FOLDER, MAX_BYTES = "annotations", 2**20
#: A DOI: directory, registrant and suffix.
DOI = r"^10\.\d{4,9}/[^\s\"<>]{1,200}$"

Tag = Annotated[str, Field(pattern=r"^[^\s,][^\n,]{0,59}$")]


class Annotation(BaseModel):
    """Words said about something; empty fields say nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_: Literal["gnomon.annotation/1"] = Field(default="gnomon.annotation/1", alias="schema")
    identifier: Annotated[str, Field(max_length=100)]
    doi: Annotated[str, Field(pattern=DOI + r"|^$")] = ""
    tags: Annotated[tuple[Tag, ...], Field(max_length=100)] = ()
    proposal: Annotated[str, Field(max_length=200)] = ""
    by: Annotated[str, Field(max_length=200, description="user who changed it last")] = ""
    time: Annotated[str, Field(max_length=40, description="time of the last change, UTC, ISO 8601")] = ""


def annotation_file(results: Path, identifier: Identifier) -> Path:
    """Return the file of an annotation."""
    return results / FOLDER / f"{identifier.kind}-{identifier.digits}.json"


def identifier_of_file(name: str) -> Identifier | None:
    """Return the identifier that an annotation's file is about; None if it is not one."""
    found = parse_identifier(name.removesuffix(".json").replace("-", "/", 1))
    return found if found is not None and name == f"{found.kind}-{found.digits}.json" else None


def read_annotation(results: Path, identifier: Identifier) -> Annotation:
    """Read what was said about something; nothing if there is no file. Raises CatalogueError."""
    path = annotation_file(results, identifier)
    if not path.exists():
        return Annotation(identifier=str(identifier))
    try:
        found = parse_document(Annotation, read_bounded(path, MAX_BYTES), str(path))
    except (OSError, UnicodeDecodeError, DocumentError) as error:
        raise CatalogueError(f"{path}: cannot be read: {error}; mend or remove it") from error
    if found.identifier != str(identifier):
        raise CatalogueError(f"{path}: is about {found.identifier}; give the file its own name back, or remove it")
    return found


def write_annotation(results: Path, annotation: Annotation) -> Path:
    """Write an annotation, whole or not at all. Raises CatalogueError."""
    identifier = parse_identifier(annotation.identifier)
    assert identifier is not None
    path = annotation_file(results, identifier)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("w", encoding="utf-8") as file:
            file.write(json.dumps(annotation.model_dump(mode="json", by_alias=True), indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise CatalogueError(f"{path}: cannot be written: {error}") from error
    return path


def doi_of(text: str) -> str:
    """Take a DOI as people write it: with `doi:` or as a web address. Raises CatalogueError for anything else."""
    bare = re.sub(r"^(?:https?://(?:dx\.)?doi\.org/|doi:\s*)", "", text.strip(), flags=re.IGNORECASE)
    if not re.match(DOI, bare):
        raise CatalogueError(f"{text!r} is not a DOI: give it as 10.5281/zenodo.1234567")
    return bare
