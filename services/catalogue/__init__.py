"""The catalogue: results, studies, recordings, snapshots and calibrations, found by words, fields and identifiers.

The files are the truth. The index of them is a file of SQLite that can be deleted at any time. What was found is given
away as a crate or as datasets of SciCat, and removed by rules.
"""

from typing import TYPE_CHECKING

from gnomon.lattice import lazy_names

if TYPE_CHECKING:
    from gnomon.services.catalogue.annotations import Annotation, doi_of, read_annotation, write_annotation
    from gnomon.services.catalogue.catalogue import Catalogue
    from gnomon.services.catalogue.catalogue_entry import CatalogueEntry, CatalogueError, RemovedError, Unread
    from gnomon.services.catalogue.catalogue_places import CataloguePlaces
    from gnomon.services.catalogue.catalogue_query import CatalogueQuery
    from gnomon.services.catalogue.crate_check import CheckedCrate, check_crate
    from gnomon.services.catalogue.crate_contents import CratePart, crate_parts, with_sources
    from gnomon.services.catalogue.crate_metadata import CrateFacts, WrittenFile
    from gnomon.services.catalogue.crate_writer import write_crate
    from gnomon.services.catalogue.retention import (
        Kept,
        Removal,
        doubt_of_clock,
        plan_removals,
        protected_entries,
        remove,
    )
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

__getattr__ = lazy_names(
    __name__,
    {
        "Annotation": "annotations",
        "Catalogue": "catalogue",
        "CatalogueEntry": "catalogue_entry",
        "CatalogueError": "catalogue_entry",
        "CataloguePlaces": "catalogue_places",
        "CatalogueQuery": "catalogue_query",
        "CheckedCrate": "crate_check",
        "CrateFacts": "crate_metadata",
        "CratePart": "crate_contents",
        "Kept": "retention",
        "Removal": "retention",
        "RemovedError": "catalogue_entry",
        "ScicatFacts": "scicat",
        "Unread": "catalogue_entry",
        "WrittenFile": "crate_metadata",
        "check_crate": "crate_check",
        "crate_parts": "crate_contents",
        "doi_of": "annotations",
        "doubt_of_clock": "retention",
        "plan_removals": "retention",
        "protected_entries": "retention",
        "read_annotation": "annotations",
        "remove": "retention",
        "scicat_document": "scicat",
        "with_sources": "crate_contents",
        "write_annotation": "annotations",
        "write_crate": "crate_writer",
    },
)
