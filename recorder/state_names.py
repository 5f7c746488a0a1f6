"""Names of states in a journal, which has numbers: as the PVs of the machine name them."""

from collections.abc import Iterable

from gnomon.db.pvs import PvSpec
from gnomon.db.sources import SET, SETTING

__all__ = ["StateNames"]


class StateNames:
    """Names of states by device, property and value, from the PVs that set them."""

    def __init__(self, specs: Iterable[PvSpec]) -> None:
        self._names: dict[tuple[str, str], dict[float, str]] = {}
        for spec in specs:
            if spec.source == SET.name and spec.states:
                self._names[spec.device, spec.property] = dict(enumerate(spec.states))
            elif spec.source in SETTING and spec.source != SET.name and len(spec.presets) == 2 and spec.presets[1]:
                device, property, value = spec.presets[1][0]  # a button, named by the end of its PV
                self._names.setdefault((device, property), {})[value] = spec.name.rpartition(":")[2]

    def find(self, device: str, property: str, value: float) -> str:
        """Find the name of a state; empty if the value is a number."""
        return self._names.get((device, property), {}).get(value, "")
