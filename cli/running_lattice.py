"""The present lattice of a running server: exact from its journal where that is here, else from its setpoint PVs."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gnomon.clients.epics_client import EpicsClient
    from gnomon.clients.server_choice import Target
    from gnomon.db.pvs import PvSpec
    from gnomon.ioc.app.known_lattices import KnownLattice
    from gnomon.ioc.base.config import Config
    from gnomon.lattice import Lattice

#: Relative difference up to which a strength is what its current gives.
SAME = 1e-9
TIMEOUT_S = 5.0


def running_lattice(settings: "Config", target: "Target") -> "KnownLattice":
    """Read the present lattice of the twin that a target means.

    `settings` says the machine where the server does not. Settings without a PV are nominal unless the journal is
    within reach; then the origin says so. Raises GnomonError without an answer, or for another machine's PVs.
    """
    from gnomon.clients.epics_client import EpicsClient
    from gnomon.ioc.app.known_lattices import KnownLattice

    origin = f"server {target.prefix!r}"
    with EpicsClient(target, timeout_s=TIMEOUT_S) as client:
        shown = _lattice_id(client)
        lattice = _from_journal(settings, target)
        if lattice is None or lattice.id != shown:
            lattice = _from_pvs(settings, client)
        if lattice.id != shown:
            lattice, again = _from_pvs(settings, client), _lattice_id(client)
            if lattice.id != again:
                origin += ", settings without a PV nominal"
    return KnownLattice(lattice, origin)


def _lattice_id(client: "EpicsClient") -> str:
    from gnomon.db import sources

    (info,) = client.find_pvs(source=sources.LATTICE_ID.name)[:1]
    (reading,) = client.get(info.name)
    return str(reading.value)


def _from_journal(settings: "Config", target: "Target") -> "Lattice | None":
    """The last settings in the journal of a server on this computer; None when it cannot be read."""
    from gnomon.ioc.base.config import as_served
    from gnomon.ioc.base.snapshot_store import read_present_state
    from gnomon.lattice import GnomonError

    server = target.server
    if server is None or not server.journal:
        return None
    there = as_served(settings, server.machine, server.store)
    try:
        return read_present_state(there, Path(server.journal), server.prefix).lattice
    except GnomonError:
        return None


def _from_pvs(settings: "Config", client: "EpicsClient") -> "Lattice":
    """The lattice that the setpoint PVs show."""
    from gnomon.ioc.base.config import as_served
    from gnomon.ioc.base.machines import find_machine, pvs_of

    server = client.target.server
    if server is not None:
        settings = as_served(settings, server.machine, server.store)
    machine = find_machine(settings)
    specs = [spec for spec in pvs_of(machine, client.prefix) if spec.source == "set"]
    values = client.get(*(spec.name for spec in specs))
    numbers = [reading.value if reading.index is None else reading.index for reading in values]
    return with_setpoints(machine.ring.nominal, dict(zip(specs, map(float, numbers), strict=True)))


def with_setpoints(nominal: "Lattice", shown: "dict[PvSpec, float]") -> "Lattice":
    """Set what PVs show in their units; a strength that its current gives is not set."""
    strength_of = nominal.ring.strength_of
    values = {(spec.device, spec.property): value / spec.scale for spec, value in shown.items()}
    lattice = nominal.updated({key: value for key, value in values.items() if strength_of(*key) is None})
    return lattice.updated(
        {
            key: value
            for key, value in values.items()
            if strength_of(*key) is not None and abs(lattice[key] - value) > SAME * max(abs(value), SAME)
        }
    )
