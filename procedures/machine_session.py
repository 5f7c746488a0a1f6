"""A machine to measure: a client of its server, the model at its present settings, and where a run comes from."""

import getpass
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import gnomon
from gnomon.clients.epics_client import EpicsClient
from gnomon.clients.errors import ClientError
from gnomon.clients.reading import Reading
from gnomon.db.machine_files import find_document
from gnomon.lattice import Key, Lattice, LatticeError, Ring
from gnomon.procedures.documents import Provenance, now
from gnomon.procedures.errors import ProcedureError
from gnomon.propagator.studies import steering_supplies

__all__ = ["MachineSession", "State"]

#: Programs whose versions a run keeps.
PROGRAMS = ("numpy", "scipy", "bluesky", "ophyd-async", "p4p", "aioca")


@dataclass(frozen=True, slots=True)
class State:
    """The server's state: lattice, generation, last command in the journal; empty and 0 where it does not tell.

    `settings_id` is the id of the model's lattice at its setpoints: on a machine, `lattice_id` names readbacks, which
    arrive later.
    """

    lattice_id: str = ""
    generation: int = 0
    command: int = 0
    role: str = ""
    settings_id: str = ""


@dataclass
class MachineSession:
    """A server, and the document of its machine, by name or file. Close the client afterwards."""

    client: EpicsClient
    machine: str
    _ring: Ring | None = field(default=None, init=False)
    _role: str | None = field(default=None, init=False)

    @property
    def prefix(self) -> str:
        """Prefix of the PVs."""
        return self.client.prefix

    @property
    def ring(self) -> Ring:
        """The machine's ring, by its document."""
        if self._ring is None:
            self._ring = Ring(find_document(self.machine))
        return self._ring

    def setpoints(self) -> dict[str, Key]:
        """Find the PVs that set what the document has a setting for, by full name."""
        found = {i.name: (i.device, i.property) for i in self.client.pvs.values() if i.source == "set"}
        ring = self.ring
        return {n: k for n, k in found.items() if k in ring.properties and ring.strength_of(*k) is None}

    def present_lattice(self) -> Lattice:
        """Build the model's lattice at the present setpoints. Raises ProcedureError if the model refuses them."""
        names = self.setpoints()
        if not names:
            raise ProcedureError(f"{self.prefix}: it has no setpoints that {self.machine} knows")
        readings = self.client.get(*names)
        values = {names[reading.name]: _number(reading) for reading in readings}
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

    @property
    def role(self) -> str:
        """Role of the server: twin or machine; empty where it does not tell."""
        if self._role is None:
            names = [info.name for info in self.client.pvs.values() if info.source == "machine.role"]
            self._role = str(self.client.get(names[0])[0].value) if names else ""
        return self._role

    def state(self) -> State:
        """Read the server's state."""
        names = {i.source: i.name for i in self.client.pvs.values() if i.source in _STATE}
        shown = {source: self.client.get(name)[0].value for source, name in names.items()}
        command = 0
        with suppress(ClientError, KeyError, TypeError, ValueError):
            command = int(self.client.call("dt:journal")["last"])
        return State(
            str(shown.get("lattice.id", "")), int(shown.get("model.generation", 0)), command,
            self.role, self.present_lattice().id,
        )  # fmt: skip

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
        )


_STATE = ("lattice.id", "model.generation")


def _number(reading: Reading) -> float | None:
    if reading.index is not None:
        return float(reading.index)
    value: Any = reading.value
    return float(value) if isinstance(value, int | float) else None


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
