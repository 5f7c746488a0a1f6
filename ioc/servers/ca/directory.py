"""The banks of a server and what their names stand for."""

from collections.abc import Callable, Iterator

from gnomon.ioc.base.protocols import OPEN_GATE, ConnectionGate, PutSink
from gnomon.ioc.outputs.bank import Bank
from gnomon.ioc.servers.ca.points import Point, find
from gnomon.ioc.servers.ca.publisher import Publisher
from gnomon.ioc.wire.ca_framing import MAX_NAME_BYTES


class Hosted:
    """A bank that is served: where its puts go, who sends what it publishes, and what disturbs its connections."""

    def __init__(self, bank: Bank, sink: PutSink, gate: ConnectionGate = OPEN_GATE) -> None:
        self.bank = bank
        self.sink = sink
        self.gate = gate
        self.publisher = Publisher(bank)
        self._points: dict[str, Point] = {}  # of the bank's own names alone, so nobody can make it grow
        self._unlisten: Callable[[], None] | None = None

    def find(self, name: str) -> Point:
        """Find what a name stands for. Raises KeyError."""
        point = self._points.get(name)
        if point is None:
            point = find(self.bank, name)
            if name in self.bank.index:
                self._points[name] = point
        return point

    def name_of(self, point: Point) -> str:
        """Return the name of the record of something."""
        return self.bank.specs[point.index].name

    def open(self) -> None:
        """Send on what the bank publishes."""
        self._unlisten = self.bank.listen(self.publisher.publish)

    def close(self) -> None:
        """Send nothing more."""
        if self._unlisten is not None:
            self._unlisten()
            self._unlisten = None
        self.publisher.stop()


class Directory:
    """All names of a server. Nothing is kept of names that nobody serves."""

    def __init__(self) -> None:
        self.hosted: list[Hosted] = []

    def find(self, name: str) -> tuple[Hosted, Point]:
        """The bank of a name and what it stands for there. Raises KeyError, also for what is disconnected."""
        if len(name) <= MAX_NAME_BYTES:
            for hosted in self.hosted:
                try:
                    point = hosted.find(name)
                except KeyError:
                    continue
                if not hosted.gate.idle and hosted.gate.is_lost(hosted.name_of(point)):
                    break
                return hosted, point
        raise KeyError(name)

    def search_delay_s(self, name: str) -> float | None:
        """Return the time by which a search for a name is answered late [s], or None if it is not answered."""
        try:
            hosted, point = self.find(name)
        except KeyError:
            return None
        return 0.0 if hosted.gate.idle else hosted.gate.search_delay_s(hosted.name_of(point))

    def items(self) -> tuple[()]:
        """caproto looks for channels with hooks at start; there are none."""
        return ()

    def __iter__(self) -> Iterator[Hosted]:
        return iter(self.hosted)
