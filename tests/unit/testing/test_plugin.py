"""The plugin in projects that do not use it: it costs nothing and changes nothing."""

import os
import subprocess
import sys
from pathlib import Path

ADDED = """
import sys
import pytest
import _pytest.config
before = set(sys.modules)
import gnomon.testing.plugin
print(*sorted(set(sys.modules) - before))
"""


def test_pytest_loads_the_plugin_alone() -> None:
    done = subprocess.run([sys.executable, "-c", ADDED], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["gnomon", "gnomon._version", "gnomon.testing", "gnomon.testing.plugin"]


def test_names_of_the_package_are_imported_on_first_use_and_no_others_are_there() -> None:
    import gnomon.testing

    for name in gnomon.testing.__all__:
        assert getattr(gnomon.testing, name).__module__.startswith("gnomon.testing.")
    assert not hasattr(gnomon.testing, "Nothing")


def test_a_project_without_rings_has_its_own_environment(tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text(
        "import os, sys\n"
        "def test_own():\n"
        "    assert os.environ['EPICS_CA_ADDR_LIST'] == '192.0.2.1'\n"
        "    assert not {'numpy', 'p4p', 'caproto', 'gnomon.testing.session'} & set(sys.modules)\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "-p", "gnomon.testing.plugin", str(tmp_path)],
        env={**os.environ, "EPICS_CA_ADDR_LIST": "192.0.2.1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "1 passed" in done.stdout, done.stdout + done.stderr
