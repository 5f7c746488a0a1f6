"""A transport of asyncio that a test holds in its hands."""

from typing import Any


class FakeSocket:
    """Takes options and forgets them."""

    def setsockopt(self, *_: Any) -> None:
        """See `socket.socket`."""


class FakeTransport:
    """`asyncio.Transport` as far as a connection uses it; `unread` is what the client has not read."""

    def __init__(self, peer: tuple[str, int] = ("10.0.0.7", 4040)) -> None:
        self.peer = peer
        self.written: list[bytes] = []
        self.closing = False
        self.reading = True
        self.unread = 0

    def get_extra_info(self, name: str) -> Any:
        return {"peername": self.peer, "socket": FakeSocket()}[name]

    def set_write_buffer_limits(self, high: int, low: int) -> None:
        """See `asyncio.Transport`."""

    def get_write_buffer_size(self) -> int:
        return self.unread

    def write(self, data: bytes) -> None:
        assert not self.closing
        self.written.append(data)

    def abort(self) -> None:
        self.closing = True

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True
