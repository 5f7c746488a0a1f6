"""BESSY II as it is in the document, and with errors that only the truth knows."""

import os
from collections.abc import Iterator

import pytest

from gnomon.db.machine_files import find_document
from gnomon.lattice import Ring


@pytest.fixture(scope="session", autouse=True)
def state_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Locks of procedures in a folder of this session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def bessy2() -> Ring:
    return Ring(find_document("bessy2"))
