"""Units that documents and operators use, and the speed of light."""

__all__ = ["FREQUENCY_UNITS", "SPEED_OF_LIGHT", "VOLTAGE_UNITS"]

#: [m/s], exact.
SPEED_OF_LIGHT = 299_792_458.0

#: Hertz in each unit that a document may give the RF frequency in.
FREQUENCY_UNITS = {"Hz": 1.0, "kHz": 1e3}

#: Volts in each unit that a document may show the cavities' voltage in.
VOLTAGE_UNITS = {"V": 1.0, "kV": 1e3, "MV": 1e6}
