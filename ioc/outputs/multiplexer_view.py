"""The PVs of a multiplexer: which magnet is connected, and the states that its hardware passes on the way there."""

import asyncio
from collections.abc import Callable
from typing import Any

from gnomon.db import sources
from gnomon.db.sources import Source
from gnomon.ioc.outputs.bank import Bank, indices_by_source
from gnomon.ioc.outputs.publication import Publication
from gnomon.lattice import Lattice, Ring

Show = Callable[[Source, Any], None]


class MultiplexerView:
    """The PVs of a ring's multiplexer: a button for each magnet, one for none, and the name.

    A button is 1 while its magnet is connected. A selection shows the states that the hardware passes, each for the
    document's time; with the result that contains it comes the name. A newer selection replaces what an older one was
    going to show.
    """

    def __init__(self, bank: Bank, ring: Ring, show: Show) -> None:
        self._mux = ring.multiplexer
        self._show = show
        self._buttons: dict[int, list[int]] = {}
        indices = indices_by_source(bank.specs)
        for source in (sources.MULTIPLEXER_SELECT, sources.MULTIPLEXER_OFF):
            for i in indices[source]:
                self._buttons.setdefault(int(bank.specs[i].presets[1][0][2]), []).append(i)
        self._names = indices[sources.MULTIPLEXER_NAME]
        self._selected = -1
        self._name = ""
        self._timers: list[asyncio.TimerHandle] = []
        self._until = 0.0
        self._again = False

    def begin(self, states: tuple[int, ...], delay_s: float) -> None:
        """Show the states that a selection passes, the last of them until `delay_s` from now."""
        if self._mux is None or not self._names:
            return
        self._stop()
        loop, each = asyncio.get_running_loop(), self._mux.state_s
        self._until = loop.time() + delay_s
        for left, number in zip(range(len(states), 0, -1), states, strict=True):
            begin_s = delay_s - left * each
            if begin_s <= 1e-9:
                self._show_name(self._name_of(number))
            else:
                self._timers.append(loop.call_later(begin_s, self._show_name, self._name_of(number)))

    def confirm(self) -> None:
        """Publish the name with the next result, even if it is the one that is shown already."""
        self._again = True

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
        wanted, self._again = name != self._name or self._again, False
        if wanted and (not self._until or asyncio.get_running_loop().time() >= self._until):
            self._name = name
            for i in self._names:
                publication.put(i, name)

    def _show_name(self, name: str) -> None:
        self._name = name
        self._show(sources.MULTIPLEXER_NAME, name)

    def _name_of(self, selected: int) -> str:
        assert self._mux is not None
        return self._mux.magnets[selected - 1] if selected else self._mux.off_name

    def _stop(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
