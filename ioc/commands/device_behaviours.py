"""Devices that take their time: how long a command takes them, what supersedes it, and who hears of its course."""

from typing import Protocol

from gnomon.lattice import Lattice, Ring, Setting

Settings = tuple[Setting, ...]


class DeviceBehaviour(Protocol):
    """Behaviour of one device. The dispatcher asks it for delays, and tells it how commands that concern it go on."""

    #: The device's name in the reasons of the journal.
    name: str

    def concerns(self, settings: Settings) -> bool:
        """Return whether a command is about this device; a newer one that acts supersedes those still under way."""
        ...

    def takes_s(self, lattice: Lattice, settings: Settings, *, under_way: bool) -> float:
        """Return how long the device takes for a command that comes to this lattice [s].

        `under_way` says that it has not finished an earlier command yet.
        """
        ...

    def begun(self, lattice: Lattice, settings: Settings, delay_s: float, *, under_way: bool) -> None:
        """Hear that the device begins a command, which acts in `delay_s` [s]."""
        ...

    def acted(self, settings: Settings) -> None:
        """Hear that a command acts that took no time."""
        ...

    def given_up(self) -> None:
        """Hear that a command that was under way does not act."""
        ...


class SelectionListener(Protocol):
    """Interface for showing clients the course of a selection."""

    def begin(self, states: tuple[int, ...], delay_s: float) -> None:
        """Show the states that the hardware passes, the last of them until `delay_s` from now."""
        ...

    def confirm(self) -> None:
        """Show the selection with the next result, even if it is the one that is shown already."""
        ...

    def settle(self) -> None:
        """Show again what is connected."""
        ...


class MultiplexerSwitching:
    """The multiplexer of a ring: it opens and closes relays one after the other (`state_s` of the machine document)."""

    name = "the multiplexer"

    def __init__(self, ring: Ring, listener: SelectionListener) -> None:
        self._ring = ring
        self._listener = listener

    def concerns(self, settings: Settings) -> bool:
        """See `DeviceBehaviour`: a command selects a magnet, or none, with or without other settings."""
        mux = self._ring.multiplexer
        return mux is not None and any((s.device, s.property) == (mux.name, "selected") for s in settings)

    def takes_s(self, lattice: Lattice, settings: Settings, *, under_way: bool) -> float:
        """See `DeviceBehaviour`."""
        mux = self._ring.multiplexer
        return len(passed(lattice, settings, under_way=under_way)) * mux.state_s if mux else 0.0

    def begun(self, lattice: Lattice, settings: Settings, delay_s: float, *, under_way: bool) -> None:
        """See `DeviceBehaviour`."""
        if states := passed(lattice, settings, under_way=under_way):
            self._listener.begin(states, delay_s)

    def acted(self, settings: Settings) -> None:
        """See `DeviceBehaviour`."""
        if _selected_alone(self._ring, settings):
            self._listener.confirm()

    def given_up(self) -> None:
        """See `DeviceBehaviour`."""
        self._listener.settle()


def passed(lattice: Lattice, settings: Settings, *, under_way: bool = False) -> tuple[int, ...]:
    """Return the selections that the hardware shows before the one that stays, for a command to this lattice.

    From none, or while another selection is `under_way`: the new one, and none. From another magnet: none. For the one
    that is connected, for none, and among other settings, as in a restored state, nothing: it is at once.
    """
    new = _selected_alone(lattice.ring, settings)
    mux = lattice.ring.multiplexer
    if mux is None or not new:
        return ()
    present = 0 if under_way else int(lattice[mux.name, "selected"])
    return (new, 0) if present == 0 else () if present == new else (0,)


def _selected_alone(ring: Ring, settings: Settings) -> int:
    """Return the number of the magnet that a command selects and does nothing else; 0 for all other commands."""
    mux = ring.multiplexer
    if mux is None or len(settings) != 1:
        return 0
    (setting,) = settings
    return int(setting.value) if (setting.device, setting.property) == (mux.name, "selected") else 0
