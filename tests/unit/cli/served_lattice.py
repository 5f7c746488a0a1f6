"""A running server of the MLS in memory, which shows the setpoints of a lattice."""

from typing import Any

from gnomon.clients.reading import Reading
from gnomon.clients.server_choice import Target
from gnomon.db import shipped_machine
from gnomon.db.pvs import PvSpec
from gnomon.ioc.base.config import Config
from gnomon.ioc.base.machines import find_machine, pvs_of
from gnomon.lattice import Lattice

MLS = shipped_machine("mls")


STEERER = next(m.supply for m in MLS.magnets if m.main == "kick")


class FakeClient:
    """A server under T: that shows the setpoints of a lattice."""

    lattice: Lattice = MLS.nominal
    hidden: tuple[str, ...] = ()

    def __init__(self, target: Target, timeout_s: float = 5.0) -> None:
        self.target, self.prefix = target, target.prefix

    def __enter__(self) -> "FakeClient":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def find_pvs(self, match: str = "*", source: str = "*") -> list[PvSpec]:
        return [spec for spec in self.specs() if spec.source == source]

    def get(self, *names: str) -> list[Any]:
        specs = {spec.name: spec for spec in self.specs()}
        return [self.reading(specs[name]) for name in names]

    def specs(self) -> tuple[PvSpec, ...]:
        return pvs_of(find_machine(Config(machine="mls")), self.prefix)

    def reading(self, spec: PvSpec) -> Any:
        if spec.source == "lattice.id":
            return Reading(spec.name, self.lattice.id)
        return Reading(spec.name, self.lattice[spec.device, spec.property] * spec.scale)
