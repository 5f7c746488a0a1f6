"""Description of the ring: elements, devices, conversions, versions. Pure: no I/O but files, no EPICS, no asyncio.

Names are imported on first use: `gnomon.lattice.text` alone costs no numpy.
"""

from typing import TYPE_CHECKING

from gnomon.lattice._errors import DocumentError, GnomonError, LatticeError, RefusedValue
from gnomon.lattice._lazy import lazy_names

if TYPE_CHECKING:
    from gnomon.lattice.commands import Change, Client, Command, Outcome, Record, Setting, Settled
    from gnomon.lattice.devices import BeamPositionMonitor, Key, Magnet, PropertySpec
    from gnomon.lattice.document import MachineDocument
    from gnomon.lattice.lattice import Lattice, Ring
    from gnomon.lattice.monitor_errors import MonitorErrors
    from gnomon.lattice.operation import ENERGY, NAMED_SETTINGS, OPTICS, VOLTAGE
    from gnomon.lattice.parsing import parse_document, parse_machine, read_machine
    from gnomon.lattice.resonances import ResonanceLine, nearest_line, resonance_lines
    from gnomon.lattice.states import fault_in_states
    from gnomon.lattice.supply_table import KICKS, SupplyFacts, family_of, properties_by_supply, supply_facts

__all__ = [
    "ENERGY",
    "KICKS",
    "NAMED_SETTINGS",
    "OPTICS",
    "VOLTAGE",
    "BeamPositionMonitor",
    "Change",
    "Client",
    "Command",
    "DocumentError",
    "GnomonError",
    "Key",
    "Lattice",
    "LatticeError",
    "MachineDocument",
    "Magnet",
    "MonitorErrors",
    "Outcome",
    "PropertySpec",
    "Record",
    "RefusedValue",
    "ResonanceLine",
    "Ring",
    "Setting",
    "Settled",
    "SupplyFacts",
    "family_of",
    "fault_in_states",
    "lazy_names",
    "nearest_line",
    "parse_document",
    "parse_machine",
    "properties_by_supply",
    "read_machine",
    "resonance_lines",
    "supply_facts",
]

__getattr__ = lazy_names(
    __name__,
    {
        **dict.fromkeys(("Change", "Client", "Command", "Outcome", "Record", "Setting", "Settled"), "commands"),
        **dict.fromkeys(("BeamPositionMonitor", "Key", "Magnet", "PropertySpec"), "devices"),
        "MachineDocument": "document",
        **dict.fromkeys(("Lattice", "Ring"), "lattice"),
        "MonitorErrors": "monitor_errors",
        **dict.fromkeys(("ENERGY", "NAMED_SETTINGS", "OPTICS", "VOLTAGE"), "operation"),
        **dict.fromkeys(("parse_document", "parse_machine", "read_machine"), "parsing"),
        **dict.fromkeys(("ResonanceLine", "nearest_line", "resonance_lines"), "resonances"),
        "fault_in_states": "states",
        **dict.fromkeys(("KICKS", "SupplyFacts", "family_of", "properties_by_supply", "supply_facts"), "supply_table"),
    },
)
