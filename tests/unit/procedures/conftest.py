"""BESSY II as it is in the document, and with errors that only the truth knows."""

import pytest

from gnomon.db.machine_files import find_document
from gnomon.lattice import Ring


@pytest.fixture(scope="session")
def bessy2() -> Ring:
    return Ring(find_document("bessy2"))
