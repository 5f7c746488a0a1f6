"""What a multiplexer shows: which magnet is connected, and the states that its hardware passes on the way there."""

import asyncio
from collections.abc import Callable
from typing import Any

from gnomon.ioc.bank import Bank
from gnomon.ioc.publication import Publication
from gnomon.lattice import Lattice, Ring, Setting

Show = Callable[[str, Any], None]

#: States that a selection passes before the one that stays: the name, and none.
PASSED = 2


def switching_s(ring: Ring, settings: tuple[Setting, ...]) -> float:
    """How long a command takes the hardware [s]: that of one selection alone, 0 for all others.

    A selection among other settings, as in a restored state, is at once.
    """
    mux = ring.multiplexer
    if mux is None or len(settings) != 1:
        return 0.0
    (setting,) = settings
    selects = (setting.device, setting.property) == (mux.name, "selected") and setting.value != 0.0
    return PASSED * mux.state_s if selects else 0.0


def selects(ring: Ring, settings: tuple[Setting, ...]) -> bool:
    """Whether a command selects a magnet, or none, with or without other settings."""
    mux = ring.multiplexer
    return mux is not None and any((s.device, s.property) == (mux.name, "selected") for s in settings)


class MultiplexerView:
    """The PVs of a ring's multiplexer: a button for each magnet, one for none, and the name.

    A button is 1 while its magnet is connected. A selection shows the magnet's name and then that none is connected,
    each for the document's time; with the result that contains it the name is back. A newer selection replaces what an
    older one was going to show.
    """

    def __init__(self, bank: Bank, ring: Ring, show: Show) -> None:
        self._mux = ring.multiplexer
        self._show = show
        self._buttons: dict[int, list[int]] = {}
        for i, spec in enumerate(bank.specs):
            if spec.source in ("multiplexer.select", "multiplexer.off"):
                self._buttons.setdefault(int(spec.presets[1][0][2]), []).append(i)
        self._names = [i for i, spec in enumerate(bank.specs) if spec.source == "multiplexer.name"]
        self._selected = -1
        self._name = ""
        self._timers: list[asyncio.TimerHandle] = []
        self._until = 0.0

    def begin(self, settings: tuple[Setting, ...], delay_s: float) -> None:
        """Show the states of a selection that takes effect after `delay_s`."""
        if self._mux is None or not self._names:
            return
        self._stop()
        loop, each = asyncio.get_running_loop(), self._mux.state_s
        begin_s = delay_s - PASSED * each
        self._until = loop.time() + delay_s
        name = self._name_of(int(settings[0].value))
        if begin_s <= 0.0:
            self._show_name(name)
        else:
            self._timers.append(loop.call_later(begin_s, self._show_name, name))
        self._timers.append(loop.call_later(begin_s + each, self._show_name, self._mux.off_name))

    def settle(self) -> None:
        """A selection that was under way does not come: show again what is connected."""
        self._stop()
        self._until = 0.0
        if self._selected >= 0 and self._name_of(self._selected) != self._name:
            self._show_name(self._name_of(self._selected))

    def put(self, publication: Publication, lattice: Lattice) -> None:
        """Put what a result's lattice has connected, unless a selection is under way that has not come to it yet."""
        if self._mux is None or not (self._buttons or self._names):
            return
        selected = int(lattice[self._mux.name, "selected"])
        if selected != self._selected:
            changed = self._buttons if self._selected < 0 else (self._selected, selected)
            for number in changed:
                for i in self._buttons.get(number, ()):
                    publication.put(i, int(number == selected))
            self._selected = selected
        name = self._name_of(selected)
        if name != self._name and (not self._until or asyncio.get_running_loop().time() >= self._until):
            self._name = name
            for i in self._names:
                publication.put(i, name)

    def _show_name(self, name: str) -> None:
        self._name = name
        self._show("multiplexer.name", name)

    def _name_of(self, selected: int) -> str:
        assert self._mux is not None
        return self._mux.magnets[selected - 1] if selected else self._mux.off_name

    def _stop(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
