"""A running twin as a ring to script: `gnomon.connect()`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Queue
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gnomon.clients.epics_client import EpicsClient, ProtocolName, PvInfo
from gnomon.clients.errors import ClientError, NotFoundError
from gnomon.clients.reading import Reading
from gnomon.clients.server_choice import choose_server
from gnomon.lattice import NAMED_SETTINGS, Key
from gnomon.lattice.near_names import near_names_hint
from gnomon.lattice.tables import MatrixTable, Planes, Table, end_name, fitting
from gnomon.lattice.units import MONITOR_UNITS, OPTICS_UNITS, conversion_factor

if TYPE_CHECKING:
    from gnomon.propagator.facade import By, RingModel, SavedPicture

__all__ = ["RemoteRing", "SetOutcome", "connect"]

#: Readings of several PVs belong to one result if their time stamps are the same; tries to get such readings.
_TRIES = 20


@dataclass(frozen=True, slots=True)
class SetOutcome:
    """Outcome of a `set`: number of the command in the journal, id of the new lattice, old and new values by PV."""

    sequence: int
    lattice_id: str
    old: Mapping[str, Any]
    new: Mapping[str, Any]


class RemoteRing:
    """A twin that a server runs: what it shows is read when it is asked for, and `set` acts at once.

    Close it, or use it as a context manager. All methods raise `ClientError` with the server's own reasons.
    """

    def __init__(self, client: EpicsClient) -> None:
        self.client = client

    @property
    def prefix(self) -> str:
        """Prefix of the twin's PVs."""
        return self.client.prefix

    def set(self, settings: Mapping[str, float | str] | None = None, note: str = "", **more: float | str) -> SetOutcome:
        """Set power supplies and other devices by name, or setpoint PVs, as one command: all or none.

        For example `ring.set(Q1PDR=218.8, HS4P1D1R=0.1)` or `ring.set({"HS4P1D1R:set": 0.1})`, in the units of the PVs;
        `rf_frequency`, `rf_voltage` and `energy_ev` are names, too, as they are of `gnomon.ring`.
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
        known = {*self._devices, *NAMED_SETTINGS}
        wanted = [self._setpoint(name) if name in known else name for name in names]
        readings = self.client.get(*wanted)
        if len(names) == 1 and len(readings) == 1 and not set(names[0]) & set("*?["):
            return readings[0].value
        return _values(readings)

    def read(self, *names: str) -> list[Reading]:
        """Read PVs given by name or pattern, with unit, alarm and time."""
        return self.client.get(*names)

    def __getitem__(self, name: str) -> Any:
        """The value of a device's setpoint, or of a PV."""
        return self.get(name)

    def find(self, *patterns: str) -> Table:
        """Devices that can be set and whose names fit a pattern, with their present settings: `find("HS*")`.

        A device with several setpoints has a row for each, by the PV's name. Raises UnknownNameError with near names.
        """
        devices = list(self._devices)
        rows = fitting(self.prefix, "device", devices, patterns or ("*",))
        found: dict[str, PvInfo] = {}
        for name in (devices[row] for row in rows):
            infos = self._devices[name]
            found |= {_short(infos[0]): infos[0]} if len(infos) == 1 else {_short(info, True): info for info in infos}
        readings = self.client.get(*(info.name for info in found.values()))
        limits = [reading.limits or (np.nan, np.nan) for reading in readings]
        return Table(
            title=f"{self.prefix} settings",
            axis="setting",
            names=tuple(found),
            columns={
                "value": np.array([_number(reading) for reading in readings]),
                "unit": np.array([reading.unit for reading in readings], dtype=object),
                "low": np.array([low for low, _ in limits]),
                "high": np.array([high for _, high in limits]),
                "pv": np.array([reading.name for reading in readings], dtype=object),
            },
            units={},
        )

    @property
    def settings(self) -> Table:
        """All that can be set, with present values and limits; `value`, `unit`, `low` and `high` as of a model."""
        return self.find("*")

    def model(self, machine: str | None = None) -> "RingModel":
        """Make the ring of `gnomon.ring` with this twin's present settings, to ask what would be.

        `machine` is its name or document, where the server does not run on this computer. Raises ClientError if the
        twin has settings without a PV that are not nominal (its lattice has another id then).
        """
        from gnomon.db.machine_files import find_document
        from gnomon.lattice import Ring
        from gnomon.propagator.facade import RingModel

        server = self.client.target.server
        machine = machine or (server.machine if server is not None else None)
        if machine is None:
            raise ClientError("the server does not run on this computer: name its machine, as in model('bessy2')")
        nominal = RingModel(Ring(find_document(machine)).nominal)
        infos = {info.name: (info.device, info.property) for info in self.client.pvs.values() if info.source == "set"}
        shown = self.client.get(self._pv_of("lattice.id"), *infos)
        known = nominal.lattice.ring
        direct: dict[Key, float] = {}
        strengths: dict[Key, float] = {}
        for key, reading in zip(infos.values(), shown[1:], strict=True):
            if key in known.properties:
                (direct if known.strength_of(*key) is None else strengths)[key] = _number(reading)
        ring = nominal.set(direct)
        if ring.id != shown[0].value:
            # A strength's setpoint stays as it was asked for when a supply moves its magnet: it counts only if it must.
            ring = ring.set({key: value for key, value in strengths.items() if value != nominal[key]})
        if ring.id != shown[0].value:
            raise ClientError(
                f"the settings that {self.prefix} shows are not all that it has: its lattice is {shown[0].value}, "
                f"theirs {ring.id}; `gnomon study --prefix` reads its journal"
            )
        return ring

    def match(
        self,
        *supplies: str,
        tunes: tuple[float, float] | None = None,
        chromaticities: tuple[float, float] | None = None,
    ) -> "RingModel":
        """Predict the settings that change tunes and chromaticities; nothing is set. See `RingModel.match`.

        `.changes` of what is returned has the settings: `ring.set(dict(zip(c.names, c.now)))` sets them.
        """
        from gnomon.propagator.facade import RingModel

        present = RingModel(self.model().lattice)
        return present.match(*supplies, tunes=tunes, chromaticities=chromaticities)

    def orm(self, by: "By" = "supply", *, hold: Literal["frequency", "momentum"] = "frequency") -> MatrixTable:
        """The orbit response matrix at the present settings, computed here; see `RingModel.orm` and `model`."""
        return self.model().orm(by, hold=hold)

    def tune_response(self, by: "By" = "supply") -> Table:
        """Tunes and chromaticities by supply, or tunes by magnet, computed here; see `RingModel.tune_response`."""
        return self.model().tune_response(by)

    def chromaticity_response(self) -> Table:
        """Chromaticities by sextupole, computed here; see `RingModel.chromaticity_response`."""
        return self.model().chromaticity_response()

    @property
    def rf_response(self) -> Table:
        """Change of the monitors' readings by the RF frequency [mm/kHz], computed here."""
        return self.model().rf_response

    @property
    def radiation(self) -> Mapping[str, float]:
        """Energy loss, damping, emittances, bunch length and more, computed here; see `RingModel.radiation`."""
        return self.model().radiation

    @property
    def id(self) -> str:
        """Identity of the present settings, as the journal has it."""
        return str(self._read_source("lattice.id").value)

    @property
    def has_beam(self) -> bool:
        """Say if the present settings store a beam, as the server has found."""
        return self._read_source("beam.found").index == 1

    @property
    def reason(self) -> str:
        """Reason why there is no beam; empty when there is one."""
        return str(self._read_source("beam.reason").value)

    @property
    def orbit(self) -> Table:
        """Readings of the beam position monitors by name: s [m], x and y [mm]."""
        sources = {
            "name": "monitor.names", "s": "monitor.s", "x": "orbit.difference.x", "y": "orbit.difference.y",
            "x0": "reference.x", "y0": "reference.y",
        }  # fmt: skip
        got = self._together(sources, changing=("x", "y"))
        columns = {"s": _in_unit(got["s"], MONITOR_UNITS["s"])}
        for plane in ("x", "y"):
            unit = MONITOR_UNITS[plane]
            columns[plane] = _in_unit(got[plane], unit) + _in_unit(got[f"{plane}0"], unit)
        return Table(f"{self.prefix} orbit", "monitor", tuple(got["name"].value), columns, MONITOR_UNITS)

    @property
    def optics(self) -> Table:
        """Optics and closed orbit at the entrance of each element, and at the end: as `optics` of `gnomon.ring`.

        s, beta, dispersion [m], alpha, phase [turn], x, y [mm]; angles are not served: `model().optics` has them.
        """
        sources = {"name": "element.names", "s": "element.positions"}
        for column, source in (
            ("beta_", "twiss.beta"), ("alpha_", "twiss.alpha"), ("phase_", "twiss.nu"),
            ("dispersion_", "dispersion"), ("", "orbit"),
        ):  # fmt: skip
            sources |= {f"{column}{plane}": f"{source}.{plane}" for plane in ("x", "y")}
        got = self._together(sources, changing=[each for each in sources if each not in ("name", "s")])
        *elements, _ = got.pop("name").value
        columns = {key: _in_unit(each, OPTICS_UNITS.get(key, "")) for key, each in got.items()}
        units = {key: OPTICS_UNITS[key] for key in columns if key in OPTICS_UNITS}
        return Table(f"{self.prefix} optics", "element", (*elements, end_name(elements)), columns, units)

    @property
    def tunes(self) -> Planes:
        """Tunes with their integer part."""
        got = self._together({"x": "twiss.nu.x", "y": "twiss.nu.y"}, changing=("x", "y"))
        return Planes(float(got["x"].value[-1]), float(got["y"].value[-1]))

    @property
    def chromaticities(self) -> Planes:
        """Chromaticities dQ/d(delta)."""
        got = self._together({"x": "chromaticity.x", "y": "chromaticity.y"}, changing=("x", "y"))
        return Planes(float(got["x"].value), float(got["y"].value))

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

    def plot(self) -> "SavedPicture":
        """Draw orbit and beta functions over s. Needs matplotlib (`pip install 'gnomon[study]'`).

        A notebook shows the picture; `.save("file.png")` writes it.
        """
        from io import BytesIO

        from gnomon.propagator.facade import SavedPicture

        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            raise ClientError("plot needs matplotlib: pip install 'gnomon[study]'") from error
        optics, orbit = self.optics, self.orbit
        figure = Figure(figsize=(10, 6), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True)
        for plane, colour in (("x", "#0072b2"), ("y", "#d55e00")):  # Okabe and Ito's, told apart by everybody
            above.plot(orbit.s, orbit.columns[plane], ".-", color=colour, label=plane)
            below.plot(optics.s, optics.columns[f"beta_{plane}"], color=colour, label=plane)
        above.set_ylabel(f"orbit at the monitors [{orbit.units['x']}]")
        below.set_ylabel(f"beta function [{optics.units['beta_x']}]")
        below.set_xlabel("s [m]")
        above.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, frameon=False)
        figure.suptitle(f"{self.prefix} Q = {self.tunes.x:.4f}, {self.tunes.y:.4f}")
        drawn = BytesIO()
        figure.savefig(drawn, format="png", dpi=130)
        return SavedPicture(f"{self.prefix} orbit and optics", drawn.getvalue())

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
        """Find the setpoint PV of a device, of a setting with a name of its own, or of a PV's name."""
        if name in NAMED_SETTINGS and name not in self._devices:
            for info in self.client.pvs.values():
                if info.source == "set" and (info.device, info.property) == NAMED_SETTINGS[name]:
                    return info.name
        infos = self._devices.get(name)
        if infos is None:
            whole = self.client.full_name(name)
            if whole in self.client.pvs:
                return whole
            hint = near_names_hint(name, self._devices)
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

    def _read_source(self, source: str) -> Reading:
        (reading,) = self.client.get(self._pv_of(source))
        return reading

    def _pv_of(self, source: str) -> str:
        for info in self.client.pvs.values():
            if info.source == source:
                return info.name
        raise NotFoundError(f"the server has no PV that shows {source}", [source])


def _number(reading: Reading) -> float:
    """The value of a setpoint, a state as its number; NaN for what is not a number."""
    value = reading.value if reading.index is None else reading.index
    return float(value) if isinstance(value, int | float | np.number) else np.nan


def _in_unit(reading: Reading, unit: str) -> "np.typing.NDArray[np.float64]":
    """The values of a waveform in a unit. Raises ClientError where the PV's unit is of another kind."""
    factor = conversion_factor(reading.unit, unit)
    if factor is None:
        raise ClientError(f"{reading.name}: its unit {reading.unit!r} cannot be converted to {unit!r}")
    return np.asarray(reading.value, dtype=np.float64) * factor


def _short(info: PvInfo, whole: bool = False) -> str:
    """The name of a setting: its own, that of its device or, where that has several, the PV's whole name."""
    for name, key in NAMED_SETTINGS.items():
        if (info.device, info.property) == key:
            return name
    return info.name if whole else info.device


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
