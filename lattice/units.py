"""Units that documents and operators use, and the speed of light."""

__all__ = ["FREQUENCY_UNITS", "MONITOR_UNITS", "OPTICS_UNITS", "SPEED_OF_LIGHT", "VOLTAGE_UNITS", "conversion_factor"]

#: [m/s], exact.
SPEED_OF_LIGHT = 299_792_458.0

#: Hertz in each unit that a document may give the RF frequency in.
FREQUENCY_UNITS = {"Hz": 1.0, "kHz": 1e3}

#: Volts in each unit that a document may show the cavities' voltage in.
VOLTAGE_UNITS = {"V": 1.0, "kV": 1e3, "MV": 1e6}

#: Units of the columns of a table of monitors' readings, and of a table of optics and closed orbit by element.
MONITOR_UNITS = {"s": "m", "x": "mm", "y": "mm"}
OPTICS_UNITS = {
    **dict.fromkeys(("s", "beta_x", "beta_y", "dispersion_x", "dispersion_y"), "m"),
    **dict.fromkeys(("phase_x", "phase_y"), "turn"),
    **dict.fromkeys(("dispersion_px", "dispersion_py"), "rad"),
    **dict.fromkeys(("x", "y"), "mm"),
    **dict.fromkeys(("px", "py"), "mrad"),
}

#: Units of one kind, each with how many of the kind's base unit it is.
_KINDS = (
    {"km": 1e3, "m": 1.0, "cm": 1e-2, "mm": 1e-3, "um": 1e-6, "\u00b5m": 1e-6, "nm": 1e-9},
    {"rad": 1.0, "mrad": 1e-3, "urad": 1e-6, "\u00b5rad": 1e-6},
    {"turn": 1.0, "turns": 1.0},
    {"": 1.0, "1": 1.0},
)


def conversion_factor(unit: str, wanted: str) -> float | None:
    """The number by which a value in one unit is multiplied to be in another one; None where they are not of a kind."""
    if unit == wanted:
        return 1.0
    for kind in _KINDS:
        if unit in kind and wanted in kind:
            return kind[unit] / kind[wanted]
    return None
