"""A ring that is served for one test: read it, set it, disturb it, and see what a client program made of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.clients.reading import Reading
from gnomon.clients.remote_ring import RemoteRing, SetOutcome
from gnomon.lattice.near_names import near_names_hint
from gnomon.lattice.tables import Planes
from gnomon.testing.client_commands import OWN_NOTE, Journal
from gnomon.testing.faults import Faults
from gnomon.testing.playing import ScenarioFailed, play_scenario
from gnomon.testing.scenarios import Report
from gnomon.testing.waiting import Found, wait_until

__all__ = ["Orbit", "ServedRing"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Orbit:
    """An orbit at the beam position monitors: names and places s [m] in beam order, x and y [mm]."""

    names: tuple[str, ...]
    s: Floats
    x: Floats
    y: Floats

    @property
    def rms_x(self) -> float:
        """Root mean square of x [mm]."""
        return float(np.sqrt(np.nanmean(self.x**2)))

    @property
    def rms_y(self) -> float:
        """Root mean square of y [mm]."""
        return float(np.sqrt(np.nanmean(self.y**2)))

    @property
    def max_x(self) -> float:
        """Largest distance from the axis in x [mm]."""
        return float(np.nanmax(np.abs(self.x)))

    @property
    def max_y(self) -> float:
        """Largest distance from the axis in y [mm]."""
        return float(np.nanmax(np.abs(self.y)))

    def at(self, monitor: str) -> tuple[float, float]:
        """Return x and y [mm] at a monitor. Raises ValueError for one that is not there."""
        if monitor not in self.names:
            raise ValueError(f"there is no monitor {monitor!r}{near_names_hint(monitor, self.names)}")
        place = self.names.index(monitor)
        return float(self.x[place]), float(self.y[place])

    def __repr__(self) -> str:
        return f"<orbit at {len(self.names)} monitors: rms x {self.rms_x:.4f}, y {self.rms_y:.4f} mm>"


class ServedRing:
    """A ring on this computer, for one test. Its PVs are there for every EPICS client of the test.

    `remote` is the same ring as `gnomon.connect()` gives it, with optics, settings, models and more.
    """

    def __init__(self, remote: RemoteRing, journal: Journal, machine: str, role: str) -> None:
        self.remote = remote
        self.journal = journal
        self.machine = machine
        self.role = role
        self.fault = Faults(remote.client.call)

    @property
    def prefix(self) -> str:
        """Prefix of its PVs."""
        return self.remote.prefix

    @property
    def environment(self) -> Mapping[str, str]:
        """The EPICS variables by which clients find it; the environment of the tests has them already."""
        return self.remote.client.target.environment

    def pv(self, name: str) -> str:
        """Complete a PV's name with the prefix."""
        return self.remote.client.full_name(name)

    def get(self, *names: str) -> Any:
        """Return the value of a PV or of a device's setpoint; of several or of a pattern, a dict by PV name."""
        return self.remote.get(*names)

    __getitem__ = get

    def read(self, *names: str) -> list[Reading]:
        """Read PVs given by name or pattern: values with unit, alarm and time."""
        return self.remote.read(*names)

    def set(self, settings: Mapping[str, float | str] | None = None, **more: float | str) -> SetOutcome:
        """Set devices or setpoint PVs, in the units of the PVs, as one command: `ring.set(HS4P1D1R=0.1)`.

        Returns when the new orbit is out. `journal.commands` leaves it out, since the test did it. Raises RefusedError.
        """
        return self.remote.set(settings, note=f"{OWN_NOTE}set", **more)

    def put(self, name: str, value: float | str | Sequence[Any]) -> None:
        """Write any PV and wait for completion, as a client does; the journal has it as any client's put."""
        self.remote.client.put(name, value)

    @property
    def orbit(self) -> Orbit:
        """The orbit as the monitors show it, with their errors and faults."""
        read = self.remote.orbit
        return Orbit(tuple(read.names), read.columns["s"], read.columns["x"], read.columns["y"])

    @property
    def tunes(self) -> Planes:
        """The tunes with their integer part, as the server computes them."""
        return self.remote.tunes

    @property
    def has_beam(self) -> bool:
        """Say if a beam is stored, as far as the present settings allow one."""
        return self.remote.has_beam

    @property
    def faults(self) -> list[str]:
        """The faults that can still act, in words."""
        return self.fault.active()

    def wait_until(self, condition: Callable[[], Found], timeout_s: float = 5.0, what: str = "") -> Found:
        """Wait until a function gives something true, or its assertions hold; see `wait_until`."""
        return wait_until(condition, timeout_s, what)

    def play(self, scenario: str, command: Sequence[str]) -> Report:
        """Play a scenario with a program under test, given as its command, as `gnomon fault run` does.

        `scenario` is the name of a shipped one or a file. Returns the report if every expectation held. Raises
        ScenarioFailed, which is an AssertionError, with what did not, and ScenarioError for one that is not right.
        """
        __tracebackhide__ = True
        report = play_scenario(self.remote.client.target, scenario, command)
        if not report.passed:
            raise ScenarioFailed(report)
        return report

    def __repr__(self) -> str:
        return f"<{self.machine}, {self.role}, prefix {self.prefix!r}>"
