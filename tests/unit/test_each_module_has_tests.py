"""Each module of more than 40 lines is imported by a unit test of its own folder, or stands below with the reason.

A test imports a module by its name, through the face of its package (`from gnomon.lattice import Ring`), or through
a helper of the tests; `gnomon("log", ...)` of the command line imports `cli/log.py`. A test file of the module's own
name counts, too.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tools.folders import FOLDERS, ROOT
from tools.syntax import imports

UNIT = ROOT / "tests" / "unit"
LARGE = 40
#: A call that runs a command, with its first two words; parsing all tests for them took a second.
COMMAND = re.compile(r'\bgnomon\(\s*"([^"]+)"(?:,\s*"([^"]+)")?')

#: Compiled by numba: the modules that call them are tested, against pyAT and against the other descriptions.
KERNELS = re.compile(r"propagator/(live|six|derivatives|ensembles)/|propagator/(worker|warmup)\.py")
#: Folders whose modules are pieces of one function, which is tested as a whole.
AS_A_WHOLE = {
    "clients/gym/": "environments: through `RingEnvironment`, with gymnasium's own check",
    "clients/bluesky_devices/": "devices of a ring: through `RingDevices`, with ophyd-async's mock signals",
    "ioc/panels/": "panels as files, through `make_panels`",
    "lattice/exchange/": "readers and writers: on files, against MAD-X, elegant and AT",
    "lattice/exchange/madx/": "the reader of MAD-X: whole files, against MAD-X itself",
    "procedures/plans/": "plans: through `measure`, on devices of a model in the test's process",
    "propagator/generic/": "the description for every type of number: against pyAT and the live model",
    "propagator/physics/": "the description itself: through generic, against pyAT and the live model, and codegen",
    "propagator/studies/": "studies: their results and files, through `gnomon.propagator.studies`",
    "propagator/studies/pictures/": "pictures of studies: through `gnomon study` with --plot",
    "services/": "services over HTTP: through the application, with a client in the test's process",
    "services/catalogue/": "the catalogue: as a whole, on files as commands leave them",
    "services/dashboard/": "pages: through the application, and in a browser: system/test_dashboard.py",
    "services/dashboard/pages/": "pages: as the above",
    "services/dashboard/pictures/": "pictures of each procedure's results: through `run_pictures`",
    "recorder/gating/": "checks of the gate: all of them through `decide`, each alone against a corruption of its own",
    "recorder/save_files/": "files of other programs, through `read` and `write`",
}
#: Single modules, and how they are tested.
RING = "a document becomes a ring: through `Ring(parse_machine(text))`"
OTHERWISE = {
    "ioc/servers/pva/channel_host.py": "an interface",
    "lattice/build.py": RING,
    "lattice/checking.py": RING,
    "lattice/device_table.py": RING,
    "lattice/devices.py": RING,
    "lattice/gathering.py": RING,
    "lattice/named_optics.py": RING,
    "lattice/supply_table.py": RING,
    "lattice/commands.py": "words without logic",
    "recorder/epics_machine.py": "pyepics keeps one context a process: its contract is tested in a process of its own",
    "recorder/lock.py": "one journal has one writer: through `Journal`",
    "recorder/rollback.py": "what was written goes back: through `Replay`",
    "services/forward/mqtt_client.py": "a client: with a real broker, system/test_forward_mqtt.py",
    "services/forward/mqtt_downstream.py": "as the above",
    "testing/scenarios/own_server.py": "a server: system/test_scenario_library.py plays on it",
    "testing/truth.py": "a running machine and `gnomon machine truth`: system tests of the plugin",
}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(("gnomon", *(parts[:-1] if parts[-1] == "__init__" else parts)))


@cache
def modules() -> dict[str, Path]:
    """Every module of the product."""
    return {module_of(path): path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}


@cache
def imported_by(path: Path) -> frozenset[str]:
    """Modules that a file imports or runs as a command, and names that it takes from them, as `module.name`."""
    found: set[str] = set()
    for node in imports(path):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(found | set(commands(path.read_text(encoding="utf-8"))))


def commands(source: str) -> Iterator[str]:
    """Modules of the command line that calls like `gnomon("log", "show", ...)` run."""
    for first, second in COMMAND.findall(source):
        yield f"gnomon.cli.{first}"
        yield f"gnomon.cli.{first}.{second}" if second else f"gnomon.cli.{first}"


@cache
def faces() -> dict[str, str]:
    """Names that a package shows, as `package.name`, and the module that each is from."""
    shown: dict[str, str] = {}
    for name, path in modules().items():
        if path.name == "__init__.py":
            for node in imports(path):
                if isinstance(node, ast.ImportFrom) and node.module:
                    shown.update({f"{name}.{alias.asname or alias.name}": node.module for alias in node.names})
    return shown


@cache
def imports_of_tests(folder: Path) -> set[str]:
    """Modules that the tests of a folder import; a folder without tests of its own has those above it."""
    while not (UNIT / folder).is_dir():
        folder = folder.parent
    waiting = list((UNIT / folder).glob("*.py"))
    seen: set[Path] = set()
    found: set[str] = set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        for name in imported_by(path):
            if name.startswith("unit.") and (helper := ROOT / "tests" / (name.replace(".", "/") + ".py")).exists():
                waiting.append(helper)
            found |= origins(name)
    return found


def origins(name: str) -> set[str]:
    """The name itself, and the modules from which the faces of packages have it."""
    found = {name}
    while name in faces():
        module = faces()[name]
        name = f"{module}.{name.rpartition('.')[2]}"
        if {module, name} <= found:
            break
        found |= {module, name}
    return found


def large() -> list[str]:
    """Modules of more than 40 lines that are nobody's exception, as paths."""
    paths = [path for path in modules().values() if len(path.read_text(encoding="utf-8").splitlines()) > LARGE]
    return sorted(str(path.relative_to(ROOT)) for path in paths)


def excepted(path: str) -> bool:
    return bool(KERNELS.match(path)) or f"{Path(path).parent}/" in AS_A_WHOLE or path in OTHERWISE


@cache
def untested() -> tuple[str, ...]:
    return tuple(
        path
        for path in large()
        if module_of(ROOT / path) not in imports_of_tests(Path(path).parent)
        and not (UNIT / Path(path).parent / f"test_{Path(path).name}").exists()
    )


@pytest.mark.slow(2)
def test_each_large_module_is_imported_by_a_test_of_its_folder() -> None:
    assert [path for path in untested() if not excepted(path)] == []


@pytest.mark.slow(2)
def test_no_exception_outlives_its_reason() -> None:
    """A module that got tests, or is gone, leaves the list."""
    assert sorted(OTHERWISE) == [path for path in untested() if path in OTHERWISE]
    assert {folder for folder in AS_A_WHOLE if not (ROOT / folder).is_dir()} == set()
