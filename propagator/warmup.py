"""Compilation of the kernels ahead of their first use."""

from collections.abc import Callable

import numpy as np

from gnomon.lattice.elements import Bend, Drift, Element, Multipole, Quadrupole, Sextupole
from gnomon.propagator.compiled import cache_folder
from gnomon.propagator.live import live_kernels
from gnomon.propagator.live.affine_maps import B2
from gnomon.propagator.live.kernel_report import REPORT
from gnomon.propagator.live.live_kernels import OPTICS
from gnomon.propagator.live.live_program import BEAM, Program
from gnomon.propagator.six.radiation_losses import MANY, SHAPE, SUMS, lose

#: File that is written when all kernels are in the cache; the folder's name depends on sources, numba and processor.
MARK = "complete"

Progress = Callable[[str, int, int], None]


def kernels_are_cached() -> bool:
    """Return True if the machine code of all kernels is in the cache, so that the first beam needs no compilation."""
    return (cache_folder() / MARK).exists()


def compile_kernels(progress: Progress | None = None) -> None:
    """Compile every kernel, or load it from the cache, for the types that a program passes.

    `progress` is called before each kernel and at the end, with the kernel's name, the number done and the total.
    """
    program = Program(small_ring())
    n, parameters = program.tables.kinds.size, program.tables.parameters
    parameters[1, B2], parameters[3, B2] = 1.0, -1.0
    orbit, optics, report = np.empty((2, n + 1, 4)), np.empty((3, 2, n + 1)), np.zeros(REPORT)
    points, four, two = np.ones((MANY + 1, MANY)), np.zeros((2, 4)), np.ones(2)
    four.flags.writeable = two.flags.writeable = False
    steps: list[tuple[str, Callable[[], None]]] = [
        ("element maps", lambda: program.rebuild(program.everything, np.array([BEAM]))),
        (
            "orbit and optics",
            lambda: program.find(BEAM, OPTICS, 0.0, 0.0, orbit[0], orbit[1], optics, np.empty((2, 2)), report),
        ),
        (
            "radiation",
            lambda: lose(
                np.zeros(1, dtype=np.int64), np.ones((1, SHAPE)), parameters[:1], points, points, 0.0, four,
                four, two, two, np.empty(SUMS),
            ),
        ),
    ]  # fmt: skip
    for done, (name, compile_one) in enumerate(steps):
        if progress is not None:
            progress(name, done, len(steps))
        compile_one()
    if progress is not None:
        progress("kernels", len(steps), len(steps))
    folder = cache_folder()
    if live_kernels.find.stats.cache_path and folder.is_dir():  # type: ignore[attr-defined]
        (folder / MARK).touch()


def small_ring() -> tuple[Element, ...]:
    """Make a ring with one element of each kind, only for its types."""
    return (
        Drift(name="drift", length=1.0),
        Quadrupole(name="quadrupole", length=0.2),
        Sextupole(name="sextupole", length=0.1),
        Quadrupole(name="defocusing", length=0.2),
        Bend(name="bend", length=1.0, angle=0.1),
        Multipole(name="thin"),
    )
