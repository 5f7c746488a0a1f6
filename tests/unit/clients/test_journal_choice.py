"""The journal that a server tells is the one on this computer, or refused."""

from pathlib import Path
from typing import Any

import pytest

from gnomon.clients.journal_choice import read_served_journal
from gnomon.clients.server_choice import Target
from gnomon.recorder import ReviewError
from unit.recorder.records import small_journal


def test_a_journal_of_this_computer_is_taken_with_its_machine(tmp_path: Path) -> None:
    path = small_journal(tmp_path / "twin.journal")
    told: dict[str, Any] = {"journal": str(path), "run": 1.0, "machine": "toy"}
    served = read_served_journal(Target("TWIN:"), lambda procedure, arguments: told)
    assert (served.path, served.prefix, served.machine, served.store) == (path, "TWIN:", "toy", "")
    with pytest.raises(ReviewError, match=r"writes run 2, and .* has run 1"):
        read_served_journal(Target("TWIN:"), lambda procedure, arguments: told | {"run": 2.0})


def test_a_journal_of_another_computer_is_refused() -> None:
    told: dict[str, Any] = {"journal": "/nowhere/journal", "run": 1.0, "machine": "toy"}
    with pytest.raises(ReviewError, match="not on this computer"):
        read_served_journal(Target("TWIN:"), lambda procedure, arguments: told)
