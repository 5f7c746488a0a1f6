"""Description of the ring: elements, devices, conversions, versions. Pure: no I/O but files, no EPICS, no asyncio."""

from gnomon.lattice._errors import DocumentError, GnomonError, LatticeError, RefusedValue
from gnomon.lattice.commands import Change, Client, Command, Outcome, Record, Setting, Settled
from gnomon.lattice.devices import PropertySpec
from gnomon.lattice.document import MachineDocument
from gnomon.lattice.lattice import Lattice, Ring
from gnomon.lattice.parsing import parse_machine, read_machine

__all__ = [
    "Change",
    "Client",
    "Command",
    "DocumentError",
    "GnomonError",
    "Lattice",
    "LatticeError",
    "MachineDocument",
    "Outcome",
    "PropertySpec",
    "Record",
    "RefusedValue",
    "Ring",
    "Setting",
    "Settled",
    "parse_machine",
    "read_machine",
]
