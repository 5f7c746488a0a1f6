"""p4p is imported without setuptools, and with it where its libraries should need more of it one day; numba alone."""

import subprocess
import sys
from pathlib import Path

import pytest

BEGIN = "import sys; from gnomon.cli.light_imports import import_p4p_without_setuptools as light; light(); light()\n"


def run(code: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", BEGIN + code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_p4p_works_and_setuptools_is_not_loaded() -> None:
    code = (
        "from p4p.nt import NTScalar; from p4p.server import Server\n"
        "print(NTScalar('d').wrap(1.5).value, 'setuptools' in sys.modules, 'numba' in sys.modules)"
    )
    assert run(code) == ["1.5", "False", "False"]


def test_libraries_are_found_without_a_look_at_all_sources() -> None:
    code = (
        "import inspect; inspect.stack = None\n"
        "from epicscorelibs.path import get_lib; from pvxslibs.path import include_path\n"
        "import os; print(os.path.exists(get_lib('ca')), os.path.isdir(include_path))"
    )
    assert run(code) == ["True", "True"]


def test_other_imports_are_as_ever() -> None:
    assert run("import setuptools_dso.runtime, json; print(json.dumps(1), len(sys.meta_path))")[0] == "1"


@pytest.mark.parametrize("runtime", ["", "def find_dso(): ...", None])
def test_a_package_without_these_functions_is_the_real_one(tmp_path: Path, runtime: str | None) -> None:
    (tmp_path / "setuptools_dso").mkdir()
    (tmp_path / "setuptools_dso" / "__init__.py").write_text("dylink_prepare_dso = 'its own'")
    if runtime is not None:
        (tmp_path / "setuptools_dso" / "runtime.py").write_text(runtime)
    code = (
        f"sys.path.insert(0, {str(tmp_path)!r})\nfrom setuptools_dso import dylink_prepare_dso as found; print(found)"
    )
    assert run(code) == ["its", "own"]


def test_a_missing_package_is_missing() -> None:
    code = (
        "sys.path[:] = [path for path in sys.path if 'site-packages' not in path]\n"
        "try:\n    import setuptools_dso\nexcept ImportError:\n    print('missing')"
    )
    assert run(code) == ["missing"]


@pytest.mark.slow(2)  # loads numba in a process of its own
@pytest.mark.parametrize(("begin", "found"), [("", ["extension"]), ("light(); light()\n", [])], ids=["ever", "light"])
def test_numba_imports_its_extensions_unless_it_is_told_not_to(tmp_path: Path, begin: str, found: list[str]) -> None:
    (tmp_path / "extension.py").write_text("def begin(): print('extension')")
    (tmp_path / "extension-1.dist-info").mkdir()
    (tmp_path / "extension-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: extension\nVersion: 1\n")
    (tmp_path / "extension-1.dist-info" / "entry_points.txt").write_text("[numba_extensions]\ninit = extension:begin\n")
    code = (
        f"from gnomon.cli.light_imports import import_numba_without_extensions as light\n{begin}"
        f"sys.path.insert(0, {str(tmp_path)!r})\nfrom numba.core import entrypoints; entrypoints.init_all()"
    )
    assert run(code) == found
