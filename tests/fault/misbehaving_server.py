"""gnomon's command line with a model that hangs, raises or is slow at certain currents of one MLS steerer.

A program of its own, so that the product needs no hook for it: `python misbehaving_server.py serve --machine mls`.
"""

import threading
import time

from gnomon.cli import main
from gnomon.ioc.app import serving
from gnomon.lattice import Lattice
from gnomon.propagator import BeamState, Propagator

STEERER = "HS1P2K1RP"
HANG, SPIN, CRASH, LATE = 0.111, 0.222, 0.333, 0.444


class Misbehaving(Propagator):
    """The real model, but for what the steerer's current asks for."""

    def __call__(self, lattice: Lattice) -> BeamState:
        current = lattice[STEERER, "current"]
        if current == HANG:
            threading.Event().wait()
        if current == SPIN:
            while True:
                pass
        if current == CRASH:
            raise RuntimeError("the model broke on purpose")
        if current == LATE:
            time.sleep(4.0)
        return super().__call__(lattice)


if __name__ == "__main__":
    vars(serving)["Propagator"] = Misbehaving
    main()
