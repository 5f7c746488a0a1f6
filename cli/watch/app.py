"""The application of `gnomon watch`, by textual."""

import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, Full, Queue
from threading import Thread
from typing import Any, ClassVar

from rich.text import Text
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, OptionList, Static

from gnomon.cli.watch import screen
from gnomon.cli.watch.feed import Feed
from gnomon.cli.watch.magnets import LEGEND, RingMap
from gnomon.cli.watch.supply_steps import find_setpoints, first_size, larger, smaller
from gnomon.clients.epics_client import PvInfo
from gnomon.clients.overview import Overview
from gnomon.db import sources
from gnomon.lattice import GnomonError
from gnomon.lattice.text import printable

#: Times a second that the screen is brought up to date, if anything has changed.
RATE_HZ = 5.0
#: Steps that may wait for the server.
MAX_WAITING = 20
#: Widths and heights from which the diagram of tunes and more than one row for each bar are shown [characters].
WIDE, HIGH = 64, 18
SMALLEST_WINDOW_M = 5.0
PARTS = ("head", "x", "y", "magnets", "tunes", "supply", "commands", "message")

HELP = f"""\
gnomon watch: the ring live

/        choose a power supply: part of its name, or a pattern
↑ ↓      step it up or down (also + and -)
] [      make the step larger, smaller (1, 2, 5)
u        undo the last step made here, unless its value has been
         changed since
z x      zoom in, out along the ring; ← → move
?        this page      q   quit

Bars: orbit at each monitor, less the reference in use. Magnets:
{LEGEND}
Tunes: resonances up to third order around the working point.
What is not of now is not shown; the top line says why.
Each step is a command: `gnomon log` shows it."""


class HelpScreen(ModalScreen[None]):
    """The keys, and what is shown."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark,enter", "dismiss", "close")]

    def compose(self) -> ComposeResult:
        """Show the text."""
        yield Static(Text(HELP), id="help")


class SearchScreen(ModalScreen[str | None]):
    """Choose a supply by a pattern."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "cancel"),
        Binding("down", "move(1)", "next", show=False),
        Binding("up", "move(-1)", "previous", show=False),
    ]

    def __init__(self, pvs: "list[PvInfo]", prefix: str) -> None:
        super().__init__()
        self._pvs, self._prefix = pvs, prefix
        self._found = pvs

    def compose(self) -> ComposeResult:
        """Show the field, and the list below."""
        with Vertical(id="search"):
            yield Input(placeholder="part of a name, or a pattern: HS4P*", compact=True)
            yield OptionList(compact=True)

    def on_mount(self) -> None:
        """List all."""
        self._list("")

    def on_input_changed(self, event: Input.Changed) -> None:
        """List what fits."""
        self._list(event.value)

    def _list(self, pattern: str) -> None:
        self._found = find_setpoints(self._pvs, pattern, self._prefix)
        shown = self.query_one(OptionList)
        shown.clear_options()
        names = [pv.name.removeprefix(self._prefix) for pv in self._found]
        texts = [f"{name:24} {printable(pv.description)}" for name, pv in zip(names, self._found, strict=True)]
        shown.add_options(map(Text, texts))
        shown.highlighted = 0 if self._found else None

    def action_move(self, way: int) -> None:
        """Move in the list while the field keeps the keyboard."""
        shown = self.query_one(OptionList)
        if self._found:
            shown.highlighted = ((shown.highlighted or 0) + way) % len(self._found)

    def on_input_submitted(self) -> None:
        """Choose the marked one."""
        marked = self.query_one(OptionList).highlighted
        self.dismiss(self._found[marked].name if self._found and marked is not None else None)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Choose the one that was clicked."""
        self.dismiss(self._found[event.option_index].name)


class WatchApp(App[None]):
    """The ring live: `feed` is what is known of it, `find_map` finds where its magnets stand, given its monitors."""

    CSS = """
    Screen { layout: vertical; background: ansi_default; overflow: hidden; }
    #head, #x, #y, #magnets { width: 100%; }
    #head, #x, #y, #magnets, #commands { text-wrap: nowrap; text-overflow: ellipsis; }
    #bottom { height: 1fr; min-height: 1; }
    #tunes { width: 34; padding-right: 2; }
    #right { width: 1fr; }
    #supply { height: auto; max-height: 3; }
    #commands { height: 1fr; }
    #message { height: auto; max-height: 3; width: 100%; }
    ModalScreen { align: center middle; }
    #help, #search { width: 94%; max-width: 76; height: auto; max-height: 100%; border: round; padding: 0 1; }
    #search OptionList { height: auto; max-height: 12; border: none; }
    """
    TITLE = "gnomon watch"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "supply", key_display="/"),
        Binding("up,plus", "step(1)", "up", key_display="↑"),
        Binding("down,minus", "step(-1)", "down", key_display="↓"),
        Binding("right_square_bracket", "size(1)", "larger", key_display="]"),
        Binding("left_square_bracket", "size(-1)", "smaller", key_display="["),
        Binding("u", "undo", "undo"),
        Binding("z", "zoom(0.5)", "zoom", show=False),
        Binding("x", "zoom(2.0)", "zoom out", show=False),
        Binding("left", "move(-1)", show=False),
        Binding("right", "move(1)", show=False),
        Binding("question_mark", "help", "help", key_display="?"),
        Binding("q,ctrl+c", "quit", "quit", key_display="q"),
    ]

    def __init__(self, feed: Feed, find_map: Callable[[Feed, int], RingMap | None]) -> None:
        super().__init__(ansi_color=True)
        self.feed = feed
        self._find_map = find_map
        self._map: RingMap | None = None
        self._mapped = False
        self._shown: tuple[Any, ...] = ()
        self._scales = [0.0, 0.0]
        self._window: tuple[float, float] | None = None
        self._chosen: PvInfo | None = None
        self._step_size = 0.0
        self._waiting: Queue[tuple[Callable[[], str], str]] = Queue(MAX_WAITING)
        self._busy = False
        self._parts = {name: Static(id=name) for name in PARTS}
        self._texts: dict[str, Text] = {}

    def compose(self) -> ComposeResult:
        """Lay out the parts."""
        yield from (self._parts[name] for name in ("head", "x", "y", "magnets"))
        with Horizontal(id="bottom"):
            yield self._parts["tunes"]
            with Vertical(id="right"):
                yield self._parts["supply"]
                yield self._parts["commands"]
        yield self._parts["message"]
        yield Footer()

    def on_mount(self) -> None:
        """Begin to watch, and to work off steps."""
        # Threads that nobody waits for: `q` ends at once, though a server that is asked does not answer.
        Thread(target=self.feed.run, daemon=True).start()
        Thread(target=self._work, daemon=True).start()
        self.set_interval(1.0 / RATE_HZ, self.refresh_screen)
        self.refresh_screen()

    def on_resize(self, _: events.Resize) -> None:
        """Draw everything anew."""
        self._shown = ()
        self.refresh_screen()

    def refresh_screen(self) -> None:
        """Draw what has changed."""
        chosen = self._busy, self._step_size, self._chosen
        state = (
            int(time.time()),
            self.size,
            self.feed.version,
            self.feed.starting,
            self.feed.lost,
            chosen,
            self._window,
            self._map,
        )
        if state == self._shown:
            return
        only_clock = state[1:] == self._shown[1:]
        self._shown = state
        seen = self.feed.overview()
        width, height = self.size
        self._put("head", screen.head(seen, width))
        if not only_clock:
            self._draw(seen, width, height)

    def _draw(self, seen: Overview, width: int, height: int) -> None:
        positions = seen.reading(sources.MONITOR_S)
        if positions is not None and not self._mapped:
            self._mapped = True
            monitors = len(positions.value)
            Thread(target=self._load_map, args=(monitors,), daemon=True).start()
        window = self._window or (0.0, self._length(seen))
        rows = (height - 9) // 3 if height >= HIGH else 1
        for plane in (0, 1):
            text, self._scales[plane] = screen.orbit(seen, plane, window, (width, rows), self._scales[plane])
            self._put("xy"[plane], text)
        device = self._chosen.device if self._chosen else ""
        self._put("magnets", screen.magnets(self._map, window, width, device))
        wide = width >= WIDE
        self._parts["tunes"].styles.width = 34 if wide else 25
        bottom = max(1, height - 2 * (rows + 1) - 5)
        self._put("tunes", screen.tunes(seen, 32 if wide else 0, bottom))
        room = width - (34 if wide else 25)
        shown = screen.Supply()
        if self._chosen is not None:
            name = self._chosen.name
            shown = screen.Supply(name, self.feed.chosen, self._step_size, len(self.feed.steps), self._busy)
        self._put("supply", screen.supply(shown, room))
        self._put("commands", screen.commands(seen, room, bottom - 3))

    def _put(self, part: str, text: Text) -> None:
        """Update a part if its text is another one."""
        if self._texts.get(part) != text or self._texts[part].spans != text.spans:
            self._texts[part] = text
            self._parts[part].update(text)

    def _length(self, seen: Overview) -> float:
        if self._map is not None:
            return self._map.circumference_m
        positions = seen.reading(sources.MONITOR_S)
        return float(max(positions.value)) if positions is not None and len(positions.value) else 1.0

    def _load_map(self, monitors: int) -> None:
        self._map = self._find_map(self.feed, monitors)

    def say(self, text: str, style: str = "") -> None:
        """Show a message above the keys until the next one."""
        self._put("message", Text(printable(text), style))

    def _work(self) -> None:
        """Work off what waits, one after the other, in a thread of its own."""
        while self.is_running:
            try:
                task, style = self._waiting.get(timeout=0.5)
            except Empty:
                continue
            self._busy = True
            try:
                said = task()
            except GnomonError as error:
                said, style = str(error), "bold red"
            self._busy = False
            with suppress(RuntimeError):  # the application has ended meanwhile
                self.call_from_thread(self.say, said, style)
                self.call_from_thread(self.refresh_screen)

    def _queue(self, task: Callable[[], str], style: str = "green") -> None:
        try:
            self._waiting.put_nowait((task, style))
        except Full:
            self.say(f"{MAX_WAITING} steps wait for the server already", "bold red")

    def action_search(self) -> None:
        """Open the search."""
        client = self.feed.client
        if client is None:
            self.say(f"no supplies: {self.feed.starting or self.feed.lost}", "bold red")
            return
        self.push_screen(SearchScreen(list(self.feed.setpoints), client.prefix), self._choose)

    def _choose(self, name: str | None) -> None:
        chosen = next((pv for pv in self.feed.setpoints if pv.name == name), None)
        if chosen is None:
            return

        def follow() -> str:
            self.feed.choose(chosen.name)
            reading = self.feed.chosen
            assert reading is not None
            self._step_size = first_size(reading.limits, float(reading.value))
            self._chosen = chosen
            return f"{chosen.name}: {chosen.description}"

        self._queue(follow, "")

    def action_step(self, direction: int) -> None:
        """Step the chosen supply."""
        if self._chosen is None:
            self.say("no supply is chosen: press / to search")
            return
        name, size = self._chosen.name, self._step_size

        def step() -> str:
            made = self.feed.step(name, size, direction)
            return f"{made.name}: {made.old:.9g} -> {made.new:.9g} {made.unit}"

        self._queue(step)

    def action_undo(self) -> None:
        """Undo the last step."""

        def undo() -> str:
            undone = self.feed.undo()
            return f"undone: {undone.name}: {undone.new:.9g} -> {undone.old:.9g} {undone.unit}"

        self._queue(undo)

    def action_size(self, way: int) -> None:
        """Change the size of the step."""
        if self._chosen is not None:
            self._step_size = larger(self._step_size) if way > 0 else smaller(self._step_size)
            self.refresh_screen()

    def action_zoom(self, factor: float) -> None:
        """Show a smaller or larger part of the ring."""
        length = self._length(self.feed.overview())
        first, last = self._window or (0.0, length)
        size = max(SMALLEST_WINDOW_M, (last - first) * factor)
        self._look(0.5 * (first + last) - 0.5 * size, size, length)

    def action_move(self, way: int) -> None:
        """Show the next part of the ring."""
        if self._window is not None:
            first, last = self._window
            self._look(first + way * 0.25 * (last - first), last - first, self._length(self.feed.overview()))

    def _look(self, first: float, size: float, length: float) -> None:
        first = min(max(0.0, first), max(0.0, length - size))
        self._window = None if size >= length else (first, first + size)
        self.refresh_screen()

    def action_help(self) -> None:
        """Show the keys."""
        self.push_screen(HelpScreen())
