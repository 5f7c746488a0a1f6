"""Settings besides magnets: energy, cavity voltage, the optics in use, switches.

These settings stand behind all others, in chunks of their own that count for a lattice's id only while they are not
nominal: ids are those from before a ring had them.
"""

from collections.abc import Sequence
from dataclasses import replace

from gnomon.lattice import document as doc
from gnomon.lattice.device_table import DeviceTable
from gnomon.lattice.devices import PropertySpec
from gnomon.lattice.elements import Cavity, Element
from gnomon.lattice.units import VOLTAGE_UNITS

#: What a ring's energy, the voltage of its fundamental cavities and the number of its optics are called.
ENERGY, VOLTAGE, OPTICS = ("ring", "energy"), ("rf", "voltage"), ("ring", "optics")
#: Names for scripts of settings whose device has no telling name.
NAMED_SETTINGS = {"rf_frequency": ("rf", "frequency"), "rf_voltage": VOLTAGE, "energy_ev": ENERGY}

#: The highest voltage where the nominal one is above the limit, by the nominal one.
HEADROOM = 1.5


def fundamental_voltages(document: doc.MachineDocument, elements: Sequence[Element]) -> dict[int, float]:
    """Design voltage [V] of each cavity at the ring's harmonic number, or at none of its own, by element."""
    own = (0, document.harmonic_number)
    return {i: e.voltage for i, e in enumerate(elements) if isinstance(e, Cavity) and e.harmonic_number in own}


def add_operation(document: doc.MachineDocument, devices: DeviceTable, elements: Sequence[Element]) -> None:
    """Add these settings; the energy's comes first."""
    devices.operation_slot = devices.align()
    low, high = document.energy_range_ev
    nominal = document.energy_ev
    devices.stored(_spec(*ENERGY, unit="eV", low=low, high=high, nominal=nominal))
    devices.stored(_voltage(document, fundamental_voltages(document, elements)))
    if document.optics:
        devices.stored(_choice(*OPTICS, states=(doc.NOMINAL_OPTICS, *document.optics)))
    if devices.multiplexer is not None:
        supply = devices.multiplexer.supply
        on = devices.stored(replace(_choice(supply, "on", states=("off", "on")), nominal=1.0))
        devices.multiplexer = replace(devices.multiplexer, on_slot=on)
    for switch in document.switches:
        devices.stored(_switch(switch))


def _voltage(document: doc.MachineDocument, voltages: dict[int, float]) -> PropertySpec:
    """The total of the fundamental cavities; it stays 0 without any."""
    unit, total = document.rf.voltage_unit, sum(voltages.values())
    highest = max(document.limits.voltage_v, HEADROOM * total) if voltages else 0.0
    low, high, nominal = (v / VOLTAGE_UNITS[unit] for v in (min(0.0, total), highest, total))
    return _spec(*VOLTAGE, unit=unit, low=low, high=high, nominal=nominal)


def _switch(part: doc.SwitchPart) -> PropertySpec:
    spec = _choice(part.name, "state", states=part.states)
    if not part.states:
        spec = replace(spec, low=float(part.low), high=float(part.high))
    return replace(spec, nominal=float(part.nominal))


def _choice(device: str, name: str, states: tuple[str, ...]) -> PropertySpec:
    high = float(len(states) - 1)
    return replace(_spec(device, name, unit="", low=0.0, high=high, nominal=0.0), whole=True, states=states)


def _spec(device: str, name: str, *, unit: str, low: float, high: float, nominal: float) -> PropertySpec:
    return PropertySpec(device=device, property=name, unit=unit, low=low, high=high, nominal=nominal)
