import pytest

from gnomon.lattice import exchange


@pytest.fixture
def reads_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read lattice files in this process: a reader of its own starts in half a second, and has tests of its own."""
    monkeypatch.setattr(exchange, "import_isolated", exchange.import_machine)
