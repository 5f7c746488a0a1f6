"""HTTPS: certificate and key are checked before anything listens; clients that trust the certificate are served."""

import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from self_signed import self_signed

from gnomon.services.tls_files import TlsError, TlsFiles, find_tls

SERVER = """
import sys
from pathlib import Path
from gnomon.services.tls_files import find_tls
from gnomon.services.web_server import serve_app

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["scheme"].encode()})

serve_app(app, "127.0.0.1", 0, lambda url: print(url, flush=True), tls=find_tls(*map(Path, sys.argv[1:])))
"""


@pytest.fixture
def files(tmp_path: Path) -> TlsFiles:
    """A certificate of 127.0.0.1 that it signed itself, and its key."""
    return TlsFiles(*self_signed(tmp_path))


def test_a_certificate_and_its_key_are_found_apart_or_in_one_file(files: TlsFiles) -> None:
    assert find_tls(None, None) is None
    assert find_tls(files.certificate, files.key) == files
    both = files.key.with_name("both.pem")
    both.touch(0o600)
    both.write_bytes(files.key.read_bytes() + files.certificate.read_bytes())
    assert find_tls(both, None) == TlsFiles(both, both)


def test_a_key_that_others_can_read_or_that_is_another_one_is_refused(files: TlsFiles) -> None:
    with pytest.raises(TlsError, match=r"services\.key: .* has no certificate"):
        find_tls(None, files.key)
    with pytest.raises(TlsError, match="not a certificate and its key"):
        find_tls(files.certificate, files.certificate.with_name("none.pem"))
    files.key.chmod(0o640)
    with pytest.raises(TlsError, match=rf"others can read this key; run: chmod 600 {files.key}"):
        find_tls(files.certificate, files.key)
    files.key.chmod(0o600)
    files.key.write_text("no key")
    with pytest.raises(TlsError, match="not a certificate and its key"):
        find_tls(files.certificate, files.key)


@pytest.mark.network
def test_clients_that_trust_the_certificate_are_served_over_https_alone(files: TlsFiles) -> None:
    command = [sys.executable, "-c", SERVER, str(files.certificate), str(files.key)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        try:
            assert url.startswith("https://127.0.0.1:")
            trust = ssl.create_default_context(cafile=str(files.certificate))
            assert httpx.get(url, verify=trust, trust_env=False).text == "https"
            with pytest.raises(httpx.ConnectError):
                httpx.get(url, trust_env=False)
            with pytest.raises(httpx.RemoteProtocolError):
                httpx.get(url.replace("https", "http"), trust_env=False)
        finally:
            server.terminate()
    assert server.returncode == 0
