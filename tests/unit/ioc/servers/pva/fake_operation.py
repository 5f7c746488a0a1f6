"""A client's operation as p4p hands it to a handler."""

from dataclasses import dataclass, field
from typing import Any

from gnomon.lattice import Client


@dataclass
class FakeOperation:
    """Keeps how it ended: `answers` are values or None for success, `errors` what the client reads otherwise."""

    content: Any = None
    named: str = "T:pv"
    user: str = "op"
    at: str = "127.0.0.1:40404"
    answers: list[Any] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def value(self) -> Any:
        return self.content

    def name(self) -> str:
        return self.named

    def account(self) -> str:
        return self.user

    def peer(self) -> str:
        return self.at

    def done(self, value: Any = None, error: str | None = None) -> None:
        assert not self.answers, "answered twice"
        assert not self.errors, "answered twice"
        if error is None:
            self.answers.append(value)
        else:
            self.errors.append(error)

    @property
    def ended(self) -> str:
        """The end of the operation, in words; empty while it has not ended."""
        return self.errors[0] if self.errors else "done" if self.answers else ""


class NotText:
    """A value whose text is not UTF-8: p4p raises when it is looked at."""

    def value(self) -> Any:
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")


def client_of(operation: FakeOperation) -> Client:
    """Return the client of an operation."""
    return Client(operation.account(), "10.0.0.7", "pva", operation.peer())
