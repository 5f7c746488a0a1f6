"""Common parts of all tests: an EPICS environment that reaches nobody else, free ports, no process left behind."""

import faulthandler
import gc
import logging
import os
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import hypothesis
import psutil
import pytest
from debian_programs import running_redis
from patience import PATIENCE_S, make_clients_patient

from gnomon.cli.light_imports import import_numba_without_extensions, import_p4p_without_setuptools
from gnomon.testing.ports import free_ports
from gnomon.testing.quiet_repeater import QuietRepeater

# Stacks are shown of a test that takes this long, or up to REARM_S less.
STACKS_S, REARM_S = 120.0, 20.0
# Time that a test takes about, by which files are put in order: a slow one that does not say it, and quick ones.
SLOW_S, SERVER_S, UNIT_S = 10.0, 1.0, 0.02
KERNELS = "test_warmup.py"
# Examples of a property in `make soak`, in CI, and in `make test`, which leaves out slow tests.
SOAK_EXAMPLES, EXAMPLES, EVERYDAY_EXAMPLES = 500, 50, 10


@dataclass(frozen=True)
class EpicsPorts:
    """Ports on 127.0.0.1 for one server of each protocol; `environment` is what its clients and the server need."""

    ca: int
    pva_tcp: int
    pva_udp: int

    @property
    def environment(self) -> dict[str, str]:
        return {
            "EPICS_CA_SERVER_PORT": str(self.ca),
            "EPICS_CA_ADDR_LIST": "127.0.0.1",
            "EPICS_CA_AUTO_ADDR_LIST": "NO",
            "EPICS_CAS_INTF_ADDR_LIST": "127.0.0.1",
            "EPICS_CAS_BEACON_ADDR_LIST": "127.0.0.1",
            "EPICS_PVA_SERVER_PORT": str(self.pva_tcp),
            "EPICS_PVA_BROADCAST_PORT": str(self.pva_udp),
            "EPICS_PVA_ADDR_LIST": "127.0.0.1",
            "EPICS_PVA_AUTO_ADDR_LIST": "NO",
            "EPICS_PVAS_INTF_ADDR_LIST": "127.0.0.1",
        }


def free_port() -> int:
    """A port that nobody holds, over TCP or UDP, on any address."""
    return free_ports(1)[0]


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Keep a file in one process also without the options of the Makefile: what its tests share is made once."""
    if getattr(config.option, "numprocesses", None) and config.option.dist == "no":
        config.option.dist, config.option.loadscopereorder = "loadfile", False


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Tests of servers wait half of their time, so there are two processes for each processor."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    only_units = bool(config.args) and all("unit" in Path(argument).parts for argument in config.args)
    return processors if only_units else 2 * processors


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With several processes, begin with the files that take longest: none shall begin when all others are done.

    First of all comes the file whose tests compile all kernels, half a minute if none is kept.
    """
    if hasattr(config, "workerinput"):
        seconds: dict[Path, float] = defaultdict(float)
        for item in items:
            seconds[item.path] += _about_seconds(item)
        items.sort(
            key=lambda item: (item.path.name != KERNELS, -seconds[item.path], item.path)
        )  # stable: a file's tests keep their order


def _about_seconds(item: pytest.Item) -> float:
    if slow := item.get_closest_marker("slow"):
        return float(slow.args[0]) if slow.args else SLOW_S
    return UNIT_S if "unit" in item.path.parts else SERVER_S


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collect no garbage while tests are collected, for all that is imported stays."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish() -> None:
    """Make the clients that tests have imported patient, and let the garbage collector leave out all that was imported.

    Walking through it took a tenth of the unit tests.
    """
    make_clients_patient()
    gc.freeze()
    gc.set_threshold(3_000, 20, 100)


@pytest.fixture
def epics_ports() -> EpicsPorts:
    """Fresh ports; hand `epics_ports.environment` to the processes of the test."""
    return EpicsPorts(ca=free_port(), pva_tcp=free_port(), pva_udp=free_port())


@pytest.fixture(scope="module")
def redis_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run redis for a module, HOST:PORT. Without Debian's redis-server the test is skipped, or fails in .ci/run."""
    with running_redis(tmp_path_factory.mktemp("redis"), free_port()) as address:
        yield address


ARMED = pytest.StashKey[float]()
HOMES = pytest.StashKey[tempfile.TemporaryDirectory[str]]()
REPEATER = pytest.StashKey[QuietRepeater]()
STDERR = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--soak` runs the long versions of the tests that repeat something many times (make soak)."""
    parser.addoption("--soak", action="store_true", help="repeat as often as promised, not only as often as CI can")


@pytest.fixture(scope="session")
def soak(request: pytest.FixtureRequest) -> bool:
    """Tell whether tests repeat as often as promised."""
    return bool(request.config.getoption("--soak"))


def pytest_configure(config: pytest.Config) -> None:
    """Forget the user's network before any EPICS library is imported, so that no test can reach a machine.

    Nor does any see the user's journals, documents and running servers.
    """
    config.stash[STDERR] = os.dup(sys.__stderr__.fileno() if sys.__stderr__ else 2)
    import_p4p_without_setuptools()
    import_numba_without_extensions()
    # pyAT, with which beams are compared, would import matplotlib for its own pictures in each process.
    sys.modules.setdefault("at.plot", ModuleType("at.plot"))
    # A shell that runs this in the background ignores Ctrl-C, and so would every program that a test starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # A status of ophyd that a test has left behind times out later, and would write into another test's log.
    logging.getLogger("ophyd").setLevel(logging.CRITICAL)
    homes = config.stash[HOMES] = tempfile.TemporaryDirectory()
    os.environ |= {"XDG_STATE_HOME": homes.name, "XDG_DATA_HOME": homes.name, "XDG_RUNTIME_DIR": homes.name}
    for name in [name for name in os.environ if name.startswith(("EPICS_", "GNOMON_"))]:
        del os.environ[name]
    # No deadline: an example that another process holds up for a moment has not failed. CI runs slow tests, too.
    everyday = "not slow" in config.getoption("markexpr")
    examples = SOAK_EXAMPLES if config.getoption("--soak") else EVERYDAY_EXAMPLES if everyday else EXAMPLES
    hypothesis.settings.register_profile("gnomon", deadline=None, max_examples=examples)
    hypothesis.settings.load_profile(config.getoption("--hypothesis-profile") or "gnomon")
    config.stash[REPEATER] = repeater = QuietRepeater()
    os.environ |= {
        "EPICS_CA_REPEATER_PORT": str(repeater.port),
        "EPICS_CA_ADDR_LIST": "127.0.0.1",
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
        "EPICS_PVA_ADDR_LIST": "127.0.0.1",
        "EPICS_PVA_AUTO_ADDR_LIST": "NO",
    }


def pytest_unconfigure(config: pytest.Config) -> None:
    """Give the repeater port back."""
    faulthandler.cancel_dump_traceback_later()
    if REPEATER in config.stash:
        config.stash[REPEATER].stop()
        config.stash[HOMES].cleanup()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> None:
    """Show all stacks if this test hangs, also in compiled code, which a signal does not interrupt.

    pytest's own `faulthandler_timeout` starts a thread for each test, a thirtieth of what the unit tests take.
    """
    now = time.monotonic()
    if now - item.config.stash.get(ARMED, -REARM_S) >= REARM_S:
        item.config.stash[ARMED] = now
        faulthandler.dump_traceback_later(STACKS_S, file=item.config.stash[STDERR])


@pytest.fixture(autouse=True)
def no_process_left_behind() -> Iterator[None]:
    """Fail the test that started a process and did not end it. Fixtures of wider scope may keep theirs."""
    before = set(_descendants())
    yield
    _, left = psutil.wait_procs(_children_since(before), timeout=PATIENCE_S)
    names = [f"{process.pid} {' '.join(_command_line(process))}" for process in left]
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=PATIENCE_S)
    assert not names, f"processes left behind (and killed now): {'; '.join(names)}"


def _children_since(before: set[psutil.Process]) -> list[psutil.Process]:
    # multiprocessing keeps one resource tracker (or fork server) until the interpreter ends.
    return [
        process
        for process in _descendants()
        if process not in before and not any("multiprocessing" in word for word in _command_line(process))
    ]


def _descendants() -> list[psutil.Process]:
    # One call of the system says that there is no child at all; psutil reads of each process of the machine.
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return []
    return psutil.Process().children(recursive=True)


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
