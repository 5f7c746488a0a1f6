"""The catalogue: results, studies, recordings, snapshots and calibrations, found by words, fields and identifiers.

The files are the truth. The index of them is a file of SQLite that can be deleted at any time. What was found is given
away as a crate or as datasets of SciCat, and removed by rules.
"""

from gnomon.services.catalogue.annotations import Annotation, doi_of, read_annotation, write_annotation
from gnomon.services.catalogue.catalogue import Catalogue
from gnomon.services.catalogue.catalogue_entry import CatalogueEntry, CatalogueError, RemovedError, Unread
from gnomon.services.catalogue.catalogue_places import CataloguePlaces
from gnomon.services.catalogue.catalogue_query import CatalogueQuery
from gnomon.services.catalogue.crate_check import CheckedCrate, check_crate
from gnomon.services.catalogue.crate_contents import CratePart, crate_parts, with_sources
from gnomon.services.catalogue.crate_metadata import CrateFacts, WrittenFile
from gnomon.services.catalogue.crate_writer import write_crate
from gnomon.services.catalogue.retention import Kept, Removal, doubt_of_clock, plan_removals, protected_entries, remove
from gnomon.services.catalogue.scicat import ScicatFacts, scicat_document

__all__ = [
    "Annotation",
    "Catalogue",
    "CatalogueEntry",
    "CatalogueError",
    "CataloguePlaces",
    "CatalogueQuery",
    "CheckedCrate",
    "CrateFacts",
    "CratePart",
    "Kept",
    "Removal",
    "RemovedError",
    "ScicatFacts",
    "Unread",
    "WrittenFile",
    "check_crate",
    "crate_parts",
    "doi_of",
    "doubt_of_clock",
    "plan_removals",
    "protected_entries",
    "read_annotation",
    "remove",
    "scicat_document",
    "with_sources",
    "write_annotation",
    "write_crate",
]
