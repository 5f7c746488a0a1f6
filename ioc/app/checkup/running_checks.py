"""All checks of a configuration, in the order in which a server would fail."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from gnomon.ioc.app.checkup import computer_checks as computer
from gnomon.ioc.app.checkup import network_checks as network
from gnomon.ioc.app.checkup import store_checks as stores
from gnomon.ioc.app.checkup.check_results import Finding, error
from gnomon.ioc.base.config import Config
from gnomon.ioc.base.machines import LoadedMachine, find_machine, pvs_of
from gnomon.ioc.base.open_files import open_files_wanted
from gnomon.ioc.base.running_servers import running_servers
from gnomon.lattice import GnomonError
from gnomon.propagator import kernels_are_cached


def examine(config: Config, brokers: Mapping[str, str], token: Path) -> Iterator[Finding]:
    """Carry out all checks; those that wait for the network come last.

    `brokers` are addresses of other programs by the setting that names them, `token` the file of the services' token.
    """
    loaded: list[LoadedMachine] = []

    def read_machine() -> str:
        loaded.append(find_machine(config))
        return f"{loaded[0].document.name}: {len(loaded[0].ring.elements)} elements"

    yield stores.check_document("machine", read_machine, "correct machine and pvs in the configuration")
    yield computer.check_kernels(kernels_are_cached)
    yield computer.check_clock()
    yield computer.check_open_files(open_files_wanted(config.guard))
    folders = {"journal's disk": config.journal().parent, "store's disk": config.store_path().parent}
    yield from computer.check_disks(folders)
    yield stores.check_journal(config.journal())
    if config.store.mongodb is None:
        yield stores.check_store(config.store_path())
    yield from computer.check_secrets({"services' token": token, "gate's key": config.arming() / "arming.key"})
    running = list(running_servers())
    try:
        used = network.in_force(config.network, os.environ)
    except GnomonError as problem:  # of a variable; the server does not start with it
        yield error("address", str(problem), "correct the EPICS variable, or network in the configuration")
        used = config.network
    yield from network.check_addresses(used.interfaces)
    if used.interfaces:
        yield from network.check_ports(used.interfaces[0], network.ports_of(used, config.metrics.port), running)
    yield from network.check_hosts("machine followed", config.shadow.addresses)
    yield from network.check_brokers(brokers)
    for machine in loaded:
        names = [spec.name for spec in pvs_of(machine, config.prefix)]
        yield network.check_names(names, config.network, running, config.prefix)
