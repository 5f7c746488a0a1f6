"""pytest plugin: fixtures that serve a ring, for tests of programs that control one over EPICS.

pytest imports this module in every project of an environment that has gnomon, so it imports nothing but pytest, and
does nothing until a test asks for one of its fixtures, or the project sets one of its options.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from gnomon.testing.client_commands import Journal
    from gnomon.testing.ring import ServedRing
    from gnomon.testing.ring_settings import RingSettings
    from gnomon.testing.session import Session
    from gnomon.testing.truth import Truth

#: The fixtures that serve a ring.
FIXTURES = frozenset(("ring", "machine", "journal", "truth"))
MARKER = "gnomon(machine=..., role=..., prefix=..., seed=..., config=...): the ring that the test is served"
#: Options of the project, with their help.
OPTIONS = {
    "gnomon_machine": "machine that the fixtures serve: a name (bessy2, mls), or the file of a machine document",
    "gnomon_prefix": "prefix of the PVs that the fixtures serve; may be empty",
    "gnomon_seed": "seed of all that is random in a served ring: errors of a machine, faults",
    "gnomon_config": "configuration file of gnomon for the served rings",
}
#: Commands of the journal that the report of a failed test shows.
MAX_LINES = 40

SESSION = pytest.StashKey["Session"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the project, and those of the command line that go before them."""
    for name, text in OPTIONS.items():
        parser.addini(name, f"gnomon: {text}", default=None)
    group = parser.getgroup("gnomon", "gnomon: tests of programs that control a storage ring")
    group.addoption("--gnomon-machine", metavar="MACHINE", help=OPTIONS["gnomon_machine"])
    group.addoption("--gnomon-seed", metavar="SEED", type=int, help=OPTIONS["gnomon_seed"])


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker. A project with options of ours has the EPICS variables before its modules are imported."""
    config.addinivalue_line("markers", MARKER)
    if any(config.getini(name) is not None for name in OPTIONS) and not config.option.collectonly:
        _session(config)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Set the EPICS variables before the first test if any test needs them: libca reads them once in a process."""
    if session.config.option.collectonly:
        return
    if any(_asks_for_ours(item) for item in session.items):
        _session(session.config).get_ready()


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the servers, and put the environment back as it was."""
    if SESSION in config.stash:
        config.stash[SESSION].close()
        del config.stash[SESSION]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: "pytest.CallInfo[None]") -> Any:
    """Add to the report of a failed test what clients asked of its ring, and what the server logged."""
    report = yield
    rings = [value for value in getattr(item, "funcargs", {}).values() if _is_ring(value)]
    if report.failed and rings:
        for ring in dict.fromkeys(rings):
            lines = [str(command) for command in ring.journal.commands(own=True)]
            if len(lines) > MAX_LINES:
                lines = [f"... {len(lines) - MAX_LINES} earlier commands", *lines[-MAX_LINES:]]
            report.sections.append((f"journal of {ring!r}", "\n".join([*lines, *ring.journal.notes()]) or "no command"))
        if logged := item.config.stash[SESSION].log().strip():
            report.sections.append(("log of the ring's server", logged))
    return report


@pytest.fixture
def ring(request: pytest.FixtureRequest) -> "Iterator[ServedRing]":
    """A fresh twin of a storage ring, served over Channel Access and PV Access: see `gnomon.testing.ServedRing`.

    `@pytest.mark.gnomon(machine="mls", prefix="", seed=3)` chooses another one for a test, a class or a module.
    """
    with _session(request.config).ring(_settings(request)) as served:
        yield served


@pytest.fixture
def machine(request: pytest.FixtureRequest) -> "Iterator[ServedRing]":
    """A fresh imperfect machine, which stands in for the real one: hidden errors, ramping supplies, noisy monitors."""
    with _session(request.config).ring(_settings(request, role="machine")) as served:
        yield served


@pytest.fixture
def journal(request: pytest.FixtureRequest) -> "Journal":
    """The journal of the test's ring: what clients asked of it. That of `machine` if the test has no `ring`."""
    found: Journal = _ring_of(request).journal
    return found


@pytest.fixture
def truth(request: pytest.FixtureRequest) -> "Truth":
    """The truth about the test's ring, which no program could know: the orbit of the beam itself, hidden errors."""
    return _session(request.config).truth(_ring_of(request))


def _asks_for_ours(item: pytest.Item) -> bool:
    """Return whether a test uses fixtures of this module: a project may have its own of the same names."""
    information = getattr(item, "_fixtureinfo", None)
    known = {} if information is None else information.name2fixturedefs
    return any(_is_ours(name, known[name]) for name in FIXTURES & known.keys())


def _is_ours(name: str, definitions: "Sequence[pytest.FixtureDef[Any]]") -> bool:
    """Follow a fixture from the definition that a test gets through those that it stands on."""
    for definition in reversed(definitions):
        if definition.func.__module__ == __name__:
            return True
        if name not in definition.argnames:
            return False
    return False


def _ring_of(request: pytest.FixtureRequest) -> "ServedRing":
    name = "machine" if "machine" in request.fixturenames and "ring" not in request.fixturenames else "ring"
    served: ServedRing = request.getfixturevalue(name)
    return served


def _session(config: pytest.Config) -> "Session":
    if SESSION not in config.stash:
        from gnomon.testing.session import Session

        def say(text: str) -> None:
            capture = config.pluginmanager.getplugin("capturemanager")
            reporter = config.pluginmanager.getplugin("terminalreporter")
            if reporter is not None and capture is not None:
                with capture.global_and_fixture_disabled():
                    reporter.write_line(text)

        prefix = config.getini("gnomon_prefix")
        config.stash[SESSION] = Session(say, "TWIN:" if prefix is None else prefix)
    return config.stash[SESSION]


def _settings(request: pytest.FixtureRequest, role: str | None = None) -> "RingSettings":
    """Put together what the project and the markers of the test say, the nearest marker last."""
    from dataclasses import replace

    from gnomon.testing.ring_settings import RingSettings, SettingsError

    config = request.config
    of_project: dict[str, Any] = {name.removeprefix("gnomon_"): config.getini(name) for name in OPTIONS}
    of_line = {"machine": config.getoption("gnomon_machine"), "seed": config.getoption("gnomon_seed")}
    given = {key: value for key, value in {**of_project, **_present(of_line)}.items() if value is not None}
    try:
        settings = RingSettings().with_marker(given, config.inipath.parent if config.inipath else config.rootpath)
        for marker in reversed(list(request.node.iter_markers("gnomon"))):
            if marker.args:
                raise SettingsError(f"gnomon({marker.args[0]!r}): give it by name, gnomon(machine={marker.args[0]!r})")
            settings = settings.with_marker(marker.kwargs, request.path.parent)
    except SettingsError as error:
        raise pytest.UsageError(str(error)) from error
    return settings if role is None else replace(settings, role=role)


def _present(options: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if value is not None}


def _is_ring(value: object) -> bool:
    return type(value).__module__ == "gnomon.testing.ring" and type(value).__name__ == "ServedRing"
