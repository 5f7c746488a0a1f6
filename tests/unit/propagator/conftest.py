"""The shipped rings, built once."""

import pytest

from gnomon.db import shipped_machine
from gnomon.lattice import Ring


@pytest.fixture(scope="session")
def bessy2() -> Ring:
    return shipped_machine("bessy2")


@pytest.fixture(scope="session")
def mls() -> Ring:
    return shipped_machine("mls")
