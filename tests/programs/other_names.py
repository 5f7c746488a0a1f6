"""Puts to rings whose PVs have the names of other facilities."""

import epics

from programs.access import caget, caget_all, caput, pvput

BESSY2_AREAS = (
    "SR01A-PC-HSTR-02:I", "SR12A-PC-Q3T-01:I", "SR01A-DI-EBPM-06:SA:X", "SR-DI-TMBF-01:X:TUNE", "SR-RF-MOSC-01:FREQ",
)  # fmt: skip
DIAD = ("SR01A-PC-Q1D-01:I", "SR01C-DI-EBPM-05:SA:X", "SR23C-DI-TMBF-01:X:TUNE:TUNE")


def bessy2_areas() -> list[object]:
    """Readings before and after a steerer and a quadrupole were set; what the steerer's name at BESSY II gives."""
    before = caget_all(BESSY2_AREAS)
    caput("SR01A-PC-HSTR-02:SETI", 0.1)
    pvput("SR12A-PC-Q3T-01:SETI", before[1] * 1.0001)
    return [before, caget_all(BESSY2_AREAS), epics.caget("HS4P1D1R:set", timeout=0.5, connection_timeout=0.5)]


def diad() -> list[object]:
    """Readings before, after a quadrupole and after a steerer."""
    rows: list[object] = [caget_all(DIAD)]
    for name, value in (("SR01A-PC-Q1D-01:SETI", caget(DIAD[0]) + 0.1), ("SR01A-PC-HSTR-01:SETI", 0.2)):
        caput(name, value)
        rows.append(caget_all(DIAD))
    return rows
