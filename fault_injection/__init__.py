"""Fault injection: how things go wrong, decided by pure functions. No real-machine code may import it.

How a kind is added:

1. Its model of keys, in the module of its group in `kinds/`: a subclass of the group's base (`CommandFault`, ...) with
   `kind: Literal["name"]`, a description of each key, a docstring that says what it does, and `effect()`, one line for
   journal and PVs. When, how long and how often come with `FaultRequest`. Listed in the module's `KINDS`, `dt:fault`,
   `gnomon fault`, the JSON schema and docs/reference/faults.md know it. A new group is an entry of `kinds.GROUPS`.
2. Its effect, as a pure function: for commands in `decisions.py`, for readings in
   `reading_effects.py`. Random numbers come from `Draws` alone, keyed by the fault's id and the number of the command
   or reading, in a `Lane` of its own.
   A kind that does one thing for a while (a computation that hangs) is `lasting`: `Injector.lasts` and `finished`.
   Faults that last (`RepeatedFault`: supplies, beam) act on occasions, `Injector.on_occasion(group)`.
3. For a new group: whoever can make it happen (in `ioc/`) asks the `Injector` which faults of the group act now,
   `Injector.acting(group, number)`, through a protocol or a callable that `ioc/app` passes in.

The injector knows which faults act: windows in time and commands, conditions, probabilities, counts.
"""

from gnomon.fault_injection.conditions import parse_condition
from gnomon.fault_injection.decisions import Decision, decide
from gnomon.fault_injection.draws import Draws, Lane
from gnomon.fault_injection.injected_fault import Fault, Phase
from gnomon.fault_injection.injector import Active, Injector
from gnomon.fault_injection.kinds import GROUPS, KINDS, find_kind, list_kinds, schema
from gnomon.fault_injection.kinds.beam import BeamDump, BeamFault, BeamJump, BeamLifetime, BeamLoss, BeamNoOrbit
from gnomon.fault_injection.kinds.commands import CommandFault, Swap
from gnomon.fault_injection.kinds.connections import (
    ConnectionDenied,
    ConnectionFault,
    ConnectionLost,
    ConnectionPutHangs,
    ConnectionSlow,
    Outage,
)
from gnomon.fault_injection.kinds.gnomon_itself import (
    JournalFull,
    ModelCrashed,
    ModelHung,
    ModelSlow,
    OwnFault,
    StoreUnreachable,
)
from gnomon.fault_injection.kinds.readings import (
    OF_VALUES,
    Dead,
    Late,
    ReadingFault,
    Swapped,
    WrongLength,
    WrongSeverity,
    WrongTime,
)
from gnomon.fault_injection.kinds.repeated import RepeatedFault
from gnomon.fault_injection.kinds.supplies import (
    SupplyFault,
    SupplyHysteresis,
    SupplyLimitCycle,
    SupplyReadback,
    SupplyRipple,
    SupplySlow,
    SupplyTrip,
)
from gnomon.fault_injection.reading_effects import Memory, disturbed
from gnomon.fault_injection.request import Count, FaultError, FaultRequest, Number, Pattern

__all__ = [
    "GROUPS",
    "KINDS",
    "OF_VALUES",
    "Active",
    "BeamDump",
    "BeamFault",
    "BeamJump",
    "BeamLifetime",
    "BeamLoss",
    "BeamNoOrbit",
    "CommandFault",
    "ConnectionDenied",
    "ConnectionFault",
    "ConnectionLost",
    "ConnectionPutHangs",
    "ConnectionSlow",
    "Count",
    "Dead",
    "Decision",
    "Draws",
    "Fault",
    "FaultError",
    "FaultRequest",
    "Injector",
    "JournalFull",
    "Lane",
    "Late",
    "Memory",
    "ModelCrashed",
    "ModelHung",
    "ModelSlow",
    "Number",
    "Outage",
    "OwnFault",
    "Pattern",
    "Phase",
    "ReadingFault",
    "RepeatedFault",
    "StoreUnreachable",
    "SupplyFault",
    "SupplyHysteresis",
    "SupplyLimitCycle",
    "SupplyReadback",
    "SupplyRipple",
    "SupplySlow",
    "SupplyTrip",
    "Swap",
    "Swapped",
    "WrongLength",
    "WrongSeverity",
    "WrongTime",
    "decide",
    "disturbed",
    "find_kind",
    "list_kinds",
    "parse_condition",
    "schema",
]
