"""The catalogue: results, studies, recordings, snapshots and calibrations, found by words, fields and identifiers.

The files are the truth. The index of them is a file of SQLite that can be deleted at any time.
"""

from gnomon.services.catalogue.annotations import Annotation, read_annotation, write_annotation
from gnomon.services.catalogue.catalogue import Catalogue
from gnomon.services.catalogue.catalogue_entry import CatalogueEntry, CatalogueError, Unread
from gnomon.services.catalogue.catalogue_places import CataloguePlaces
from gnomon.services.catalogue.catalogue_query import CatalogueQuery

__all__ = [
    "Annotation",
    "Catalogue",
    "CatalogueEntry",
    "CatalogueError",
    "CataloguePlaces",
    "CatalogueQuery",
    "Unread",
    "read_annotation",
    "write_annotation",
]
