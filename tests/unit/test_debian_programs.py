"""Programs of Debian that tests need: none is skipped in silence where CI runs, and all are installed there."""

import shutil
import subprocess
from pathlib import Path

import debian_programs
import pytest

SCRIPT = Path(__file__).parents[2] / ".ci/debian_packages.sh"


def stubs(folder: Path, **programs: str) -> dict[str, str]:
    """An environment whose PATH holds only these programs, each with its text of sh."""
    for name, text in programs.items():
        file = folder / name.replace("_", "-")
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)
    return {"PATH": str(folder)}


def run_script(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    bash = shutil.which("bash")
    assert bash
    return subprocess.run([bash, SCRIPT], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("may_not_skip", [True, False])
def test_missing_program_skips_a_test_but_fails_it_in_ci(monkeypatch: pytest.MonkeyPatch, may_not_skip: bool) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv(debian_programs.MAY_NOT_SKIP, "1" if may_not_skip else "")
    expected = pytest.fail.Exception if may_not_skip else pytest.skip.Exception
    with pytest.raises(expected, match="java is not installed: sudo apt-get install default-jre-headless"):
        debian_programs.debian_program("default-jre-headless")


def test_every_program_of_the_tests_is_installed_by_ci() -> None:
    text = SCRIPT.read_text()
    for package, names in debian_programs.PROGRAMS.items():
        assert f"needs {package} any_command {' '.join(names)}\n" in text


def test_user_who_may_not_install_is_told_the_command(tmp_path: Path) -> None:
    done = run_script(stubs(tmp_path, id="echo 1000", redis_server="", mosquitto="", chromium=""))
    assert done.returncode == 1
    assert "sudo apt-get install default-jre-headless" in done.stderr
    assert "redis-server" not in done.stderr


def test_missing_packages_alone_are_installed(tmp_path: Path) -> None:
    record = tmp_path / "asked"
    programs = {name: f'exec {shutil.which(name)} "$@"' for name in ("env", "mktemp", "rm")}
    apt_get = f'echo "$@" >> {record}'
    done = run_script(stubs(tmp_path, **programs, id="echo 0", java="", chromium_browser="", apt_get=apt_get))
    assert done.returncode == 0, done.stderr
    update, install = record.read_text().splitlines()
    assert update.startswith("update")
    assert " redis-server" in install
    assert " mosquitto" in install
    assert not {"default-jre-headless", "chromium"} & set(install.split())
