"""`gnomon services` before it serves: the extra that it needs, and tokens that it refuses."""

from pathlib import Path

import pytest

from gnomon.services import web_server
from gnomon.services.access_tokens import TokenError
from gnomon.services.web_server import MissingServicesError, is_loopback
from unit.cli.commands import gnomon


def test_without_its_libraries_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_server, "find_spec", lambda name: None if name == "uvicorn" else object())
    with pytest.raises(
        MissingServicesError, match=r"uvicorn, .*pip install 'gnomon\[services,dashboard\]', or 'gnomon\[services\]'"
    ):
        gnomon("services")


def test_a_token_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("t" * 20)
    file.chmod(0o640)
    with pytest.raises(TokenError, match="others can read"):
        gnomon("services", "--token-file", file)


@pytest.mark.parametrize(("host", "only_here"), [("127.0.0.1", True), ("::1", True), ("0.0.0.0", False), ("a", False)])
def test_addresses_that_others_can_reach_are_known(host: str, only_here: bool) -> None:
    assert is_loopback(host) == only_here
