"""A journal of four commands, and a server that takes settings in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gnomon.cli import sending, served_journal
from gnomon.recorder import RemoteError
from gnomon.recorder.remote import Reply
from gnomon.recorder.review import Assignment
from unit.cli.commands import tell_journal
from unit.recorder.records import small_journal


@dataclass
class FakeRemote:
    sent: list[tuple[str, tuple[Assignment, ...], str]] = field(default_factory=list)
    answers: bool = True

    def send(self, prefix: str, assignments: Sequence[Assignment], note: str) -> Reply:
        if not self.answers:
            raise RemoteError("no server answered")
        self.sent.append((prefix, tuple(assignments), note))
        return Reply("feedc0de", "")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return small_journal(tmp_path / "twin.journal")


@pytest.fixture
def remote(path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeRemote:
    fake = FakeRemote()
    monkeypatch.setattr(served_journal, "ask_journal", tell_journal(path))
    monkeypatch.setattr(sending, "make_remote", lambda: fake)
    return fake
