"""Rings and files for the tests of import and export."""

from pathlib import Path
from typing import Any

import at
import numpy as np

from gnomon.lattice import Ring
from gnomon.lattice.exchange import ImportOptions, import_machine
from gnomon.propagator import Propagator

MADX = """! a FODO ring
beam, particle=electron, energy=1.7;
qf: quadrupole, l=0.3, k1=1.9;
qd: quadrupole, l=0.3, k1:=-kd;
kd=1.8;
b: sbend, l=1.1, angle=twopi/16, e1=0.1, e2=0.09, hgap=0.02, fint=0.5, k1=-0.05;
sf: sextupole, l=0.15, k2=4;
sq: quadrupole, l=0.2, k1=0.02, tilt=pi/4;
mp: multipole, knl={0, 0.001, 0.4}, ksl={0, 0.002};
m: monitor;
c: hkicker, kick=1e-5;
cav: rfcavity, l=0.3, volt=0.5, freq=499.7;
d: drift, l=0.6;
cell: line=(qf, d, b, m, sf, d, qd, d, b, d);
ring: line=(8*cell, sq, mp, c, cav);
"""


def small_cell() -> list[Any]:
    """Elements of pyAT with everything that a machine document can hold."""
    bend = {"PassMethod": "BndMPoleSymplectic4Pass", "FullGap": 0.05, "FringeInt1": 0.5, "FringeInt2": 0.4}
    edges = {"EntranceAngle": 0.1, "ExitAngle": 0.09}
    elements = [
        at.Quadrupole("QF", 0.3, 2.05, NumIntSteps=20),
        at.Drift("D", 0.6),
        at.Dipole("B", 1.1, np.pi / 8, PolynomB=[0.0, -0.05, 0.2, 0.0], MaxOrder=3, **edges, **bend),
        at.Monitor("M"),
        at.Sextupole("SF", 0.15, 2.0, KickAngle=[2e-5, -1e-5]),
        at.Octupole("OC", 0.1, [0.0] * 4, [0.0, 0.0, 0.0, 30.0]),
        at.Drift("D", 0.6),
        at.Quadrupole("QD", 0.3, -1.7, PolynomA=[0.0, 0.01]),
        at.Drift("D", 0.6),
        at.Dipole("B", 1.1, np.pi / 8, **edges, **bend),
        at.Corrector("C", 0.1, [1e-5, 2e-5]),
        at.ThinMultipole("TM", [0.0, 1e-3], [1e-5, 2e-3, 0.3], KickAngle=[1e-5, -2e-5]),
        at.Drift("D", 0.6),
    ]
    for element in (elements[0], elements[4], elements[9], elements[11]):
        at.transform_elem(element, dx=1e-4, dy=-5e-5, tilt=2e-3)
    return elements


def small_ring(cell: list[Any] | None = None) -> Any:
    """Eight cells with a cavity, as one period."""
    cavity = at.RFCavity("CAV", 0.3, 5e5, 4.997e8, 80, 1.7e9, PassMethod="RFCavityPass")
    cell = cell or small_cell()
    elements = [e.deepcopy() for _ in range(8) for e in cell]
    return at.Lattice([*elements, cavity], name="small", energy=1.7e9, periodicity=1)


def saved(ring: Any, folder: Path) -> Path:
    """A ring of pyAT as its JSON."""
    file = folder / "ring.json"
    at.save_json(ring, file)
    return file


def imported(file: Path, format: str = "at-json", **options: Any) -> Ring:
    """A file as our ring."""
    return Ring(import_machine(file, format, ImportOptions(**options)).parsed(str(file)))


def turn_of(ring: Ring) -> tuple[np.ndarray, np.ndarray]:
    """Closed orbit (4,) at the start and matrix (4, 4) of the turn, at the reference momentum."""
    beam = Propagator(ring, "orbit", chromatic=False)(ring.nominal)
    assert beam.found, beam.reason
    return beam.orbit[0], beam.one_turn
