from functools import cache

import pytest

from gnomon.db import shipped_machine
from gnomon.lattice import Ring


@cache
def bessy2() -> Ring:
    return shipped_machine("bessy2")


@pytest.fixture
def ring() -> Ring:
    return bessy2()
