"""The bound on the memory of a process, tried in a process of its own."""

import subprocess
import sys

import pytest

from gnomon.ioc.memory import resident

PROGRAM = """
from gnomon.ioc.memory import bound
bound(2**28)
kept = bytearray(2**27)
try:
    bytearray(2**29)
except MemoryError:
    print("refused")
print(len(kept))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the bound is Linux's")
def test_what_is_within_the_bound_is_had_and_what_is_beyond_it_is_refused() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["refused", str(2**27)]


def test_the_memory_in_use_is_that_of_an_interpreter() -> None:
    assert 5e6 < resident() < 5e9 or resident() != resident()
