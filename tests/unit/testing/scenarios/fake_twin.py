"""A twin in memory with a journal on disk: what a scenario needs of a server, and what it did to it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gnomon.clients.epics_client import PvInfo
from gnomon.clients.errors import NoAnswerError, RefusedError
from gnomon.clients.reading import Reading
from gnomon.clients.server_choice import Target
from gnomon.recorder import Journal
from unit.recorder.records import applied, begin, write

TARGET = Target("TWIN:", {"EPICS_CA_SERVER_PORT": "1"})
DEVICES = ("Q1", "Q2")


class FakeTwin:
    """Stands in for `EpicsClient`: two supplies, at 0 A at the start, faults by number, and a beam."""

    prefix = "TWIN:"

    def __init__(self, folder: Path) -> None:
        self.path = folder / "twin.journal"
        self.journal = Journal(self.path)
        begin(self.journal, Q1=0.0, Q2=0.0)
        self.settings = dict.fromkeys(DEVICES, 0.0)
        self.shown = dict.fromkeys(DEVICES, 0.0)
        self.beam = True
        self.active = "on"
        self.faults: dict[int, dict[str, str]] = {}
        self.calls: list[str] = []
        self.notes: list[str] = []
        self.silent = False
        self.machine = "toy"
        self._number = 0
        infos = [PvInfo(f"TWIN:{name}:set", "set", name, "current", "A", True, "") for name in DEVICES]
        infos.append(PvInfo("TWIN:beam:found", "beam.found", "", "", "", False, ""))
        infos.append(PvInfo("TWIN:dt:inject", "control.inject", "", "", "", True, ""))
        infos.append(PvInfo("TWIN:dt:active", "control.active", "", "", "", True, ""))
        self.pvs = {info.name: info for info in infos}

    def __enter__(self) -> "FakeTwin":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def full_name(self, name: str) -> str:
        return self.prefix + name.removeprefix(self.prefix)

    def find_pvs(self, source: str = "*") -> list[PvInfo]:
        return [info for info in self.pvs.values() if source in ("*", info.source)]

    def get(self, *names: str) -> list[Reading]:
        if self.silent:
            raise NoAnswerError("no server answered")
        return [self._read(self.full_name(name)) for name in names]

    def _read(self, name: str) -> Reading:
        info = self.pvs[name]
        if info.source == "beam.found":
            return Reading(name, "found" if self.beam else "lost", index=int(self.beam), states=("lost", "found"))
        if info.source != "set":
            return Reading(name, self.active, index=int(self.active == "on"), states=("off", "on"))
        return Reading(name, self.shown[info.device], unit="A")

    def set(self, settings: Mapping[str, float | str], note: str = "") -> dict[str, Any]:
        for name, value in settings.items():
            self.command(self.pvs[self.full_name(name)].device, float(value), note)
        return {}

    def command(self, device: str, value: float, note: str = "") -> None:
        """A command of anybody: recorded and done."""
        self._number += 1
        write(self.journal, applied(self._number, device, self.settings[device], value, note=note))
        self.settings[device] = self.shown[device] = value
        self.notes.append(note)

    def put(self, name: str, value: object) -> None:
        self.calls.append(f"put {name.removeprefix(self.prefix)} {value}")
        if name.endswith("inject"):
            self.beam = True
        else:
            self.active = ("off", "on")[value] if isinstance(value, int) else str(value)

    def call(self, procedure: str, arguments: Mapping[str, Any] | None = None) -> Any:
        given = dict(arguments or {})
        if procedure == "dt:journal":
            return {"journal": str(self.path), "run": 1.0, "machine": self.machine, "prefix": self.prefix}
        if procedure == "dt:set":
            for device, value in zip(given["devices"], given["values"], strict=True):
                self.command(device, value, given["note"])
            return {}
        if given["do"] == "list":
            return [{"text": f"fault {number}"} for number in self.faults]
        if given["do"] == "clear":
            self.calls.append(f"clear {given['id']}")
            if int(given["id"]) not in self.faults:
                raise RefusedError("there is no such fault")
            del self.faults[int(given["id"])]
            return []
        if given["kind"] == "model_crashed":
            raise RefusedError("not here")
        number = len(self.calls) + 1
        self.calls.append(f"add {given['kind']}")
        self.faults[number] = given
        return {"id": number, "text": f"fault {number}"}
