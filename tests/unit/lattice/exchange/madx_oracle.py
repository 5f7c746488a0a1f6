"""MAD-X itself, in a process that all tests of a module share: what it makes of a text."""

import contextlib
import importlib.util
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

HAVE_MADX = importlib.util.find_spec("cpymad") is not None
needs_madx = pytest.mark.skipif(not HAVE_MADX, reason="cpymad, which is MAD-X itself, is not installed")


class MadxSession:
    """A process of MAD-X; it is restarted after a text that ends it."""

    def __init__(self) -> None:
        self.madx: Any = None

    def start(self) -> Any:
        """The process, running."""
        from cpymad.madx import Madx

        if self.madx is None:
            self.madx = Madx(stdout=False, command_log=None)
            self.madx.input("option, -warn, -info, -echo; beam, particle=electron, energy=1.7;")
        return self.madx

    def stop(self) -> None:
        """End the process."""
        if self.madx is not None:
            with contextlib.suppress(Exception):  # it may have ended by itself
                self.madx.quit()
            self.madx = None

    def run(self, text: str) -> Any:
        """Carry out a text. Returns None when MAD-X refuses it and ends."""
        madx = self.start()
        with tempfile.NamedTemporaryFile("w", suffix=".madx") as file:
            file.write(f"{text}\n")
            file.flush()
            try:
                madx.call(file.name)
            except Exception:  # noqa: BLE001 whatever ends MAD-X is its answer
                self.stop()
                return None
        return madx

    def turn(self, text: str, name: str) -> tuple[float, np.ndarray] | None:
        """Length [m] and 4x4 matrix of the ring `name`, from its start to its end about the reference orbit."""
        madx = self.run(f"{text}\nuse, sequence={name};\ntwiss, betx=1, bety=1, rmatrix=true;\n")
        if madx is None:
            return None
        table = madx.table.twiss
        last = len(table.s) - 1
        matrix = [[table[f"re{i}{j}"][last] for j in range(1, 5)] for i in range(1, 5)]
        return float(table.s[last]), np.array(matrix)


@contextmanager
def session() -> Iterator[MadxSession]:
    """A session that ends with the context."""
    made = MadxSession()
    try:
        yield made
    finally:
        made.stop()


def our_text(folder: Path, text: str, name: str = "ring.madx") -> Path:
    """A file."""
    file = folder / name
    file.write_text(text)
    return file
