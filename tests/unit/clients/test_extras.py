"""Devices need an extra; the package itself stays light."""

import subprocess
import sys

import pytest

from gnomon import clients
from gnomon.clients.errors import ClientError

HEAVY = ("bluesky", "ophyd", "ophyd_async", "aioca", "p4p", "caproto", "epics", "numpy")


def test_the_package_loads_no_library() -> None:
    code = f"import sys, gnomon.clients; print([name for name in {HEAVY} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize("missing", ["bluesky", "ophyd_async", "aioca"])
def test_without_the_extra_the_error_names_it(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith((missing, "gnomon.clients.bluesky_devices"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(clients, "bluesky_devices", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ClientError, match=rf"needs {missing}, which is not installed: pip install 'gnomon\[bluesky\]'"):
        clients.devices("bessy2", prefix="T:")


@pytest.mark.slow(1)  # a process
def test_without_gymnasium_the_error_names_its_extra() -> None:
    code = "import sys; sys.modules['gymnasium'] = None; import gnomon.clients.gym"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.endswith("ImportError: environments need gymnasium: pip install 'gnomon[gym]'\n")
