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


NO_RING = "def test_own():"
OWN_FIXTURE = """
import pytest

@pytest.fixture
def ring():
    return 1

def test_own(ring):"""
OWN_ARGUMENT = """
import pytest

@pytest.mark.parametrize("machine", ["mine"])
def test_own(machine):"""


def test_a_project_without_rings_has_its_own_environment(tmp_path: Path) -> None:
    for number, head in enumerate((NO_RING, OWN_FIXTURE, OWN_ARGUMENT)):
        (tmp_path / f"test_own_{number}.py").write_text(
            f"import os, sys\n{head}\n"
            "    assert os.environ['EPICS_CA_ADDR_LIST'] == '192.0.2.1'\n"
            "    assert not {'numpy', 'p4p', 'caproto', 'gnomon.testing.session'} & set(sys.modules)\n"
        )
    done = run_with_plugin(tmp_path)
    assert "3 passed" in done.stdout, done.stdout + done.stderr


def test_a_project_with_a_ring_of_its_own_and_our_truth_has_the_session_s_environment(tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text(
        "import os\nimport pytest\nimport gnomon.testing.session\n"
        "class Session:\n"
        "    def __init__(self, say, prefix): os.environ['EPICS_CA_ADDR_LIST'] = 'ours'\n"
        "    def get_ready(self): pass\n"
        "    def close(self): pass\n"
        "gnomon.testing.session.Session = Session\n"
        "@pytest.fixture\ndef ring(): return 1\n"
        "def test_own(ring, truth): pass\n"
        "def test_other():\n"
        "    assert os.environ['EPICS_CA_ADDR_LIST'] == 'ours'\n"
    )
    done = run_with_plugin(tmp_path)
    assert "1 passed, 1 error" in done.stdout, done.stdout + done.stderr


def run_with_plugin(folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run the tests of a folder with gnomon's plugin, and no other."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "gnomon.testing.plugin", "."],
        env={**os.environ, "EPICS_CA_ADDR_LIST": "192.0.2.1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
