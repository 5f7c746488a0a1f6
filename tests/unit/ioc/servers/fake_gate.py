"""A gate of connections in the test's hands."""


class FakeGate:
    """`ConnectionGate` whose names are lost, denied and late as a test says."""

    def __init__(self) -> None:
        self.lost: set[str] = set()
        self.unwritable: set[str] = set()
        self.unreadable: set[str] = set()
        self.searches_s: dict[str, float] = {}
        self.channels_s: dict[str, float] = {}

    @property
    def idle(self) -> bool:
        return not (self.lost or self.unwritable or self.unreadable or self.searches_s or self.channels_s)

    def is_lost(self, name: str) -> bool:
        return name in self.lost

    def is_denied(self, name: str, *, reading: bool = False) -> bool:
        return name in self.unreadable or (not reading and name in self.unwritable)

    def search_delay_s(self, name: str) -> float:
        return self.searches_s.get(name, 0.0)

    def channel_delay_s(self, name: str) -> float:
        return self.channels_s.get(name, 0.0)
