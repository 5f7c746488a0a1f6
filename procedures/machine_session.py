"""A machine to measure: a client of its server, the model at its present settings, and where a run comes from.

Its PVs are those of the PV document, as the devices' are: any server that has them will do, gnomon's or not.
"""

import getpass
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import gnomon
from gnomon.clients.epics_client import EpicsClient
from gnomon.clients.errors import ClientError
from gnomon.clients.machine_pvs import MachinePvs, find_machine_pvs
from gnomon.clients.reading import Reading
from gnomon.db import sources
from gnomon.db.pvs import PvSpec
from gnomon.lattice import Key, Lattice, LatticeError, Ring
from gnomon.procedures.documents import PROPOSAL, Provenance, now
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.optics_fit import OpticsFitOutcome
from gnomon.propagator.studies import steering_supplies

__all__ = ["MachineSession", "State"]

#: Programs whose versions a run keeps.
PROGRAMS = ("numpy", "scipy", "bluesky", "ophyd-async", "p4p", "aioca")

#: Time in which a server of gnomon tells its role [s].
ROLE_S = 2.0


@dataclass(frozen=True, slots=True)
class State:
    """The server's state: lattice, generation, last command in the journal; empty and 0 where it does not tell.

    `settings_id` is the id of the model's lattice at its setpoints: on a machine, `lattice_id` names readbacks, which
    arrive later, and `optics` the name of its optics.
    """

    lattice_id: str = ""
    generation: int = 0
    command: int = 0
    role: str = ""
    settings_id: str = ""
    optics: str = ""


@dataclass
class MachineSession:
    """A server, and the document of its machine, by name or file. Close the client afterwards.

    `pvs_document` is another PV document than the one that the machine names: a name, or a file. `load_fit` finds a
    stored fit of the optics by name, where there are results, and returns its whole name with it.
    """

    client: EpicsClient
    machine: str
    pvs_document: str | None = None
    load_fit: Callable[[str], tuple[str, OpticsFitOutcome]] | None = None

    @property
    def prefix(self) -> str:
        """Prefix of the PVs."""
        return self.client.prefix

    @cached_property
    def pvs(self) -> MachinePvs:
        """The PVs of the machine, by its documents."""
        return find_machine_pvs(self.machine, self.prefix, self.pvs_document)

    @property
    def ring(self) -> Ring:
        """The machine's ring, by its document."""
        return self.pvs.ring

    def setpoints(self) -> dict[Key, PvSpec]:
        """Find the PVs that set what the document has a setting for.

        A server that is not gnomon's has no PVs for what cannot be set on a machine, as the positions of magnets.
        """
        ring, settings = self.ring, self.pvs.settings
        found = {k: s.setpoint for k, s in settings.items() if k in ring.properties and ring.strength_of(*k) is None}
        if self.role:  # gnomon's have all that their PV document has
            return found
        magnets = {magnet.name for magnet in ring.magnets} - self.pvs.supplies.keys()
        return {k: s for k, s in found.items() if k[0] not in magnets and ring.properties[k].slot is not None}

    def present_lattice(self) -> Lattice:
        """Build the model's lattice at the present setpoints, with the magnet to which the multiplexer is connected.

        Raises ProcedureError if the model refuses them, or a power supply does not answer; other settings that a server
        does not have are nominal.
        """
        specs = self.setpoints()
        supplies = [spec for (device, name), spec in specs.items() if name == "current" and device in self.pvs.supplies]
        if not supplies:
            raise ProcedureError(f"{self.machine}: its PV document has no setpoint of a power supply")
        mux = self.ring.multiplexer
        shown = self.pvs.first(sources.MULTIPLEXER_NAME)
        names = [spec.name for spec in specs.values()] + ([] if shown is None else [shown.name])
        readings = self.client.find(names, required=names if self.role else [spec.name for spec in supplies])
        values = {key: _number(readings[spec.name], spec) for key, spec in specs.items() if spec.name in readings}
        if mux is not None and shown is not None and shown.name in readings:
            connected = str(readings[shown.name].value)
            number = next((m.selection for m in self.ring.magnets if m.name == connected and m.selection), 0)
            values[mux.name, "selected"] = float(number)
        nominal = self.ring.nominal
        # A value that is nominal to the last digit shown stays so; optics and energy come with their supplies.
        changed = {key: value for key, value in values.items() if value is not None and value != nominal[key]}
        try:
            return nominal.updated(changed)
        except LatticeError as error:
            raise ProcedureError(f"{self.prefix}: the model cannot take the present settings: {error}") from error

    def model_lattice(self, present: Lattice) -> Lattice:
        """Choose the lattice about which the model's responses are computed.

        Of a twin they are those at its `present` settings. On a machine, steerers correct errors that the model does
        not have: without these, they would only spoil its orbit, so they are at their nominal currents.
        """
        if self.role == "twin":
            return present
        nominal = self.ring.nominal
        keys = [(name, "current") for name in steering_supplies(present)]
        return present.updated({key: nominal[key] for key in keys if present[key] != nominal[key]})

    @cached_property
    def role(self) -> str:
        """Role of the server: twin or machine; empty where it does not tell, as one that is not gnomon's."""
        spec = self.pvs.first(sources.MACHINE_ROLE)
        found = {} if spec is None else self.client.find([spec.name], timeout_s=ROLE_S)
        return str(found[spec.name].value) if spec is not None and spec.name in found else ""

    def _shown(self, source: sources.Source) -> Any:
        """Read a PV that every server of gnomon has."""
        spec = self.pvs.first(source)
        return None if spec is None else self.client.find([spec.name], required=[spec.name])[spec.name].value

    def state(self) -> State:
        """Read the server's state; of one that is not gnomon's, only the settings are known."""
        present = self.present_lattice()
        settings_id, optics = present.id, present.optics_name
        if not self.role:
            return State(settings_id=settings_id, optics=optics)
        command = 0
        with suppress(ClientError, KeyError, TypeError, ValueError):
            command = int(self.client.call("dt:journal")["last"])
        lattice_id, generation = self._shown(sources.LATTICE_ID), self._shown(sources.MODEL_GENERATION)
        return State(str(lattice_id or ""), int(generation or 0), command, self.role, settings_id, optics)

    def provenance(self, before: State, after: State, started: str) -> Provenance:
        """Describe a run."""
        return Provenance(
            machine=self.machine,
            prefix=self.prefix,
            lattice_id=before.lattice_id,
            lattice_id_after=after.lattice_id,
            settings_id=before.settings_id,
            settings_id_after=after.settings_id,
            generation=before.generation,
            first_command=before.command,
            last_command=after.command,
            role=before.role,
            protocol=self.client.protocol,
            user=_user(),
            started=started,
            ended=now(),
            versions=_versions(),
            proposal=os.environ.get(PROPOSAL, ""),
            optics=before.optics,
            machine_document=self.ring.digest,
        )


def _number(reading: Reading, spec: PvSpec) -> float | None:
    """Return the value in the document's unit; None of what is not a number."""
    if reading.index is not None:
        return float(reading.index)
    value: Any = reading.value
    return float(value) / spec.scale if isinstance(value, int | float) else None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _versions() -> Mapping[str, str] | dict[str, str]:
    found = {"gnomon": gnomon.__version__}
    for name in PROGRAMS:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
