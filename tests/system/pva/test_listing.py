"""`pvlist` finds the server, and lists the PVs that the client may read, and no others."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from epics_tools import run

from gnomon import __version__
from gnomon.ioc.base.config import AccessConfig
from gnomon.ioc.outputs.bank import Bank
from gnomon.ioc.servers.access import AccessRules
from system.pva.stage import SPECS, START_NS, FakeSink, Served, procedure, server_of


@pytest.fixture
def listed() -> Iterator[Served]:
    """A server that hides one PV from this computer."""
    bank = Bank(SPECS, START_NS)
    rules = [{"pvs": ["T:orbit"], "allow": "none"}, {"allow": "read"}]
    access = AccessRules(AccessConfig.model_validate({"rules": rules}))
    with ExitStack() as stack:
        server = server_of(bank, rpcs={"T:call": procedure}, access=access)
        endpoint = server.start()
        stack.callback(server.stop)
        yield Served(bank, FakeSink(bank), server, endpoint)


def test_pvlist_of_an_address_lists_what_may_be_read(listed: Served) -> None:
    said, complained = run("pvlist", f"127.0.0.1:{listed.endpoint.port}", environment=listed.endpoint.client_variables)
    expected = {spec.name for spec in SPECS} - {"T:orbit"} | {"T:call"}
    assert set(said.split()) == expected, complained


def test_pvlist_without_an_address_finds_the_server_and_its_guid_leads_there(listed: Served) -> None:
    said, _ = run("pvlist", environment=listed.endpoint.client_variables)
    (line,) = said.splitlines()
    assert line.endswith(f"tcp@[ 127.0.0.1:{listed.endpoint.port} ]")
    names, complained = run("pvlist", line.split()[1], environment=listed.endpoint.client_variables)
    assert "T:current" in names.split(), complained


def test_pvlist_tells_the_version(listed: Served) -> None:
    said, complained = run(
        "pvlist", "-i", f"127.0.0.1:{listed.endpoint.port}", environment=listed.endpoint.client_variables
    )
    assert f"gnomon {__version__}" in said, complained


def test_a_new_bank_is_in_the_list(listed: Served) -> None:
    address = f"127.0.0.1:{listed.endpoint.port}"
    run("pvlist", address, environment=listed.endpoint.client_variables)
    other = Bank(
        [spec.__class__(name="U:x", kind=spec.kind, source="", description="") for spec in SPECS[:1]], START_NS
    )
    listed.server.add(other, FakeSink(other))
    said, _ = run("pvlist", address, environment=listed.endpoint.client_variables)
    assert "U:x" in said.split()
    listed.server.remove(other)
    said, _ = run("pvlist", address, environment=listed.endpoint.client_variables)
    assert "U:x" not in said.split()
