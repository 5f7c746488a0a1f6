"""A running twin as a ring to script: `gnomon.connect()`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from queue import Queue
from typing import Any, NamedTuple

import numpy as np

from gnomon.clients.epics_client import EpicsClient, ProtocolName, PvInfo
from gnomon.clients.errors import ClientError, NotFoundError
from gnomon.clients.reading import Reading
from gnomon.clients.server_choice import choose_server
from gnomon.clients.table import Table

__all__ = ["Plane", "RemoteRing", "SetOutcome", "connect"]

#: Readings of several PVs belong to one result if their time stamps are the same; tries to get such readings.
_TRIES = 20


class Plane(NamedTuple):
    """A value for each of the two modes; x is the mode with the larger share of the horizontal motion."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class SetOutcome:
    """What a `set` did: number of the command in the journal, id of the new lattice, old and new values by PV."""

    sequence: int
    lattice_id: str
    old: Mapping[str, Any]
    new: Mapping[str, Any]


class RemoteRing:
    """A twin that a server runs: what it shows is read when it is asked for, and `set` acts at once.

    Close it, or use it as a context manager. All methods raise `ClientError`s with the server's own reasons.
    """

    def __init__(self, client: EpicsClient) -> None:
        self.client = client

    @property
    def prefix(self) -> str:
        """Prefix of the twin's PVs."""
        return self.client.prefix

    def set(self, settings: Mapping[str, float | str] | None = None, note: str = "", **more: float | str) -> SetOutcome:
        """Set power supplies and other devices by name, or setpoint PVs, as one command: all or none.

        For example `ring.set(Q1PDR=218.8, HS4P1D1R=0.1)` or `ring.set({"HS4P1D1R:set": 0.1})`, in the units of the PVs.
        Returns when the new orbit and optics are out. Raises RefusedError, NotFoundError.
        """
        wanted = {self._setpoint(name): value for name, value in {**(settings or {}), **more}.items()}
        if not wanted:
            raise ClientError("set needs at least one setting, for example set(Q1PDR=218.8)")
        old = self.client.get(*wanted)
        answer = self.client.set(wanted, note)
        new = self.client.get(*wanted)
        return SetOutcome(int(answer["sequence"]), str(answer["lattice_id"]), _values(old), _values(new))

    def get(self, *names: str) -> Any:
        """Return the value of one PV, or of several PVs or a pattern as a dict of values by name.

        A device's name (`Q1PDR`) stands for its setpoint.
        """
        wanted = [self._setpoint(name) if name in self._devices else name for name in names]
        readings = self.client.get(*wanted)
        if len(names) == 1 and len(readings) == 1 and not set(names[0]) & set("*?["):
            return readings[0].value
        return _values(readings)

    def read(self, *names: str) -> list[Reading]:
        """Read PVs given by name or pattern, with unit, alarm and time."""
        return self.client.get(*names)

    def find(self, pattern: str) -> list[str]:
        """List the devices that can be set and whose names fit a pattern: `find("HS*")`."""
        return [name for name in self._devices if fnmatchcase(name, pattern)]

    @property
    def orbit(self) -> Table:
        """Readings of the beam position monitors: name, s [m], x and y [mm]."""
        sources = {
            "name": "monitor.names", "s": "monitor.s", "x": "orbit.difference.x", "y": "orbit.difference.y",
            "x0": "reference.x", "y0": "reference.y",
        }  # fmt: skip
        got = self._together(sources, changing=("x", "y"))
        columns = {"name": got["name"].value, "s": got["s"].value}
        units = {"name": "", "s": got["s"].unit}
        for plane in ("x", "y"):
            columns[plane] = np.asarray(got[plane].value) + np.asarray(got[f"{plane}0"].value)
            units[plane] = got[plane].unit
        return Table(columns, units)

    @property
    def optics(self) -> Table:
        """Optics and closed orbit at each element: beta [m], alpha, nu [turns], dispersion [m], position [m]."""
        sources = {"name": "element.names", "s": "element.positions"}
        for plane in ("x", "y"):
            sources |= {
                f"beta_{plane}": f"twiss.beta.{plane}",
                f"alpha_{plane}": f"twiss.alpha.{plane}",
                f"nu_{plane}": f"twiss.nu.{plane}",
                f"dispersion_{plane}": f"dispersion.{plane}",
                plane: f"orbit.{plane}",
            }
        got = self._together(sources, changing=[each for each in sources if each not in ("name", "s")])
        return Table({key: each.value for key, each in got.items()}, {key: each.unit for key, each in got.items()})

    @property
    def tunes(self) -> Plane:
        """Tunes with their integer part."""
        got = self._together({"x": "twiss.nu.x", "y": "twiss.nu.y"}, changing=("x", "y"))
        return Plane(float(got["x"].value[-1]), float(got["y"].value[-1]))

    @property
    def chromaticities(self) -> Plane:
        """Chromaticities dQ/d(delta)."""
        got = self._together({"x": "chromaticity.x", "y": "chromaticity.y"}, changing=("x", "y"))
        return Plane(float(got["x"].value), float(got["y"].value))

    def monitor(self, name: str, callback: Callable[[Reading | None], None]) -> Callable[[], None]:
        """Have `callback` called, in a thread, with each new reading of a PV, and with None when it disconnects.

        Returns a function that ends it.
        """
        return self.client.monitor(name, callback)

    @contextmanager
    def updates(self, name: str) -> Iterator[Iterator[Reading]]:
        """Give an iterator over the readings of a PV as they come, for use in a `with`."""
        queue: Queue[Reading | None] = Queue()
        end = self.client.monitor(name, queue.put)
        try:
            yield (reading for reading in iter(queue.get, object()) if isinstance(reading, Reading))
        finally:
            end()

    def plot(self) -> Any:
        """Draw orbit and beta functions over s; returns the matplotlib figure (`pip install 'gnomon[study]'`)."""
        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            raise ClientError("plot needs matplotlib: pip install 'gnomon[study]'") from error
        optics, orbit = self.optics, self.orbit
        figure = Figure(figsize=(10, 6), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True)
        for plane, colour in (("x", "#0072b2"), ("y", "#d55e00")):  # Okabe and Ito's, told apart by everybody
            above.plot(orbit["s"], orbit[plane], ".-", color=colour, label=plane)
            below.plot(optics["s"], optics[f"beta_{plane}"], color=colour, label=plane)
        above.set_ylabel(f"orbit at the monitors [{orbit.units['x']}]")
        below.set_ylabel(f"beta function [{optics.units['beta_x']}]")
        below.set_xlabel("s [m]")
        above.legend(loc="upper right")
        figure.suptitle(f"{self.prefix} Q = {self.tunes.x:.4f}, {self.tunes.y:.4f}")
        return figure

    def close(self) -> None:
        """Disconnect."""
        self.client.close()

    def __enter__(self) -> "RemoteRing":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<ring at {self.client.target.describe()}>"

    @property
    def _devices(self) -> dict[str, list[PvInfo]]:
        found: dict[str, list[PvInfo]] = {}
        for info in self.client.pvs.values():
            if info.writable and info.device:
                found.setdefault(info.device, []).append(info)
        return found

    def _setpoint(self, name: str) -> str:
        """Find the setpoint PV of a device, or of a PV's name."""
        infos = self._devices.get(name)
        if infos is None:
            whole = self.client.full_name(name)
            if whole in self.client.pvs:
                return whole
            from difflib import get_close_matches

            near = get_close_matches(name, self._devices, n=3, cutoff=0.5)
            hint = f"; near names: {', '.join(near)}" if near else ""
            raise NotFoundError(f"there is no device or PV {name!r} under {self.prefix!r}{hint}", [name])
        settable = [each for each in infos if each.source == "set" and each.property == "current"] or infos
        if len(settable) > 1:
            names = ", ".join(each.name for each in settable)
            raise ClientError(f"{name} has several setpoints; name one of them: {names}")
        return settable[0].name

    def _together(self, sources: Mapping[str, str], changing: Sequence[str]) -> dict[str, Reading]:
        """Read the PVs of sources so that those that change belong to one result of the model."""
        names = {key: self._pv_of(source) for key, source in sources.items()}
        for _ in range(_TRIES):
            readings = dict(zip(names, self.client.get(*names.values()), strict=True))
            if len({readings[key].time_ns for key in changing}) == 1:
                return readings
        raise ClientError("the readings changed while they were read, twenty times; try again")

    def _pv_of(self, source: str) -> str:
        for info in self.client.pvs.values():
            if info.source == source:
                return info.name
        raise NotFoundError(f"the server has no PV that shows {source}", [source])


def _values(readings: Sequence[Reading]) -> dict[str, Any]:
    return {reading.name: reading.value for reading in readings}


def connect(
    prefix: str | None = None, protocol: ProtocolName = "pva", timeout_s: float = 5.0, server: str | None = None
) -> RemoteRing:
    """Connect to a running twin: the one that runs on this computer, or the one of this prefix.

    `server` is the number of its process where several run, or "epics" to search by the EPICS variables alone; see
    `gnomon.clients.server_choice.choose_server`. Raises NoServerError.
    """
    return RemoteRing(EpicsClient(choose_server(prefix, server=server), protocol, timeout_s))
