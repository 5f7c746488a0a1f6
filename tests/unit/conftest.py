from collections import defaultdict
from collections.abc import Iterator

import pytest

from gnomon.clients import machine_pvs
from gnomon.db import expand, shipped_machine, shipped_machines
from gnomon.db.pvs import PvSpec
from gnomon.ioc.base import machines
from gnomon.lattice import Ring, exchange

Specs = tuple[PvSpec, ...]


@pytest.fixture
def reads_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read lattice files in this process: a reader of its own starts in half a second, and has tests of its own."""
    monkeypatch.setattr(exchange, "import_isolated", exchange.import_machine)


@pytest.fixture(scope="session", autouse=True)
def pvs_made_once() -> Iterator[None]:
    """Make the PVs of a shipped ring once for each prefix and list of templates: 3000 of them, in hundreds of tests."""
    made: dict[tuple[str, str], list[tuple[object, Specs]]] = defaultdict(list)

    def remembered(templates: tuple, ring: Ring, prefix: str) -> Specs:
        if ring.name not in shipped_machines() or ring is not shipped_machine(ring.name):
            return expand(templates, ring, prefix)
        known = made[ring.name, prefix]
        for others, specs in known:
            if others == templates:
                return specs
        known.append((templates, expand(templates, ring, prefix)))
        return known[-1][1]

    with pytest.MonkeyPatch.context() as patch:
        for module in (machines, machine_pvs):
            patch.setattr(module, "expand", remembered)
        yield
