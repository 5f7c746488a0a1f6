"""Messages to systemd."""

import socket
from pathlib import Path

import pytest

from gnomon.ioc.base.service_manager import notify_service_manager


@pytest.mark.parametrize("abstract", [False, True])
def test_a_service_manager_hears_that_the_server_is_ready(tmp_path: Path, abstract: bool) -> None:
    name = f"@{tmp_path}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name[1:] if abstract else name)
        manager.settimeout(2.0)
        assert notify_service_manager("READY=1", {"NOTIFY_SOCKET": name})
        assert manager.recv(100) == b"READY=1"


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": "relative"}, {"NOTIFY_SOCKET": "/nowhere/notify"}])
def test_without_one_nothing_happens(environ: dict[str, str]) -> None:
    assert notify_service_manager("READY=1", environ) is False
