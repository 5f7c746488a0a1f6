"""Configuration of a ring's devices that other packages load: a database of happi, a Python file of ophyd devices."""

import json
import keyword
import re
from collections.abc import Mapping
from importlib.resources import files
from pprint import pformat
from typing import Any, Literal, NamedTuple

from gnomon.clients.machine_pvs import MachinePvs, SettingPvs
from gnomon.db import sources
from gnomon.db.pvs import Kind

__all__ = ["FileKind", "happi_database", "ophyd_file"]

#: A twin's readings are new when a put is done; those of a machine come in its own time.
FileKind = Literal["twin", "machine"]
MM = 1e3
_TUNES = (sources.TUNE, sources.TUNE_FREQUENCY, sources.TUNE_FRACTION)
#: Measurements whose averages a machine's setting waits for.
_AVERAGED = (
    *sources.MONITOR, sources.MONITOR_POSITIONS, sources.MONITOR_POSITIONS_INTERLEAVED,
    *(source for planes in _TUNES for source in planes), sources.BEAM_CURRENT,
)  # fmt: skip


class _Device(NamedTuple):
    """A classic device: what makes it, in `gnomon.clients.classic`, and its arguments besides the name."""

    make: str
    arguments: Mapping[str, Any]
    description: str


def _devices(pvs: MachinePvs, kind: FileKind) -> dict[str, _Device]:
    """List the devices by name: what can be set to a number, the monitors, tunes, current and lifetime."""
    averaged_s = pvs.averaging_s(*_AVERAGED)
    settings = {**pvs.supplies, **{_name(*key): each for key, each in pvs.others.items()}}
    found = {
        name: _Device("Setting", _setting(each, averaged_s if kind == "machine" else None), each.setpoint.description)
        for name, each in settings.items()
        if each.setpoint.kind is not Kind.ENUM
    }
    found["monitors"] = _monitors(pvs, kind)
    single = {
        "tunes": {"x": pvs.first(*(each.x for each in _TUNES)), "y": pvs.first(*(each.y for each in _TUNES))},
        "current": {"beam": pvs.first(sources.BEAM_CURRENT), "lifetime": pvs.first(sources.BEAM_LIFETIME_10S)},
    }
    for name, specs in single.items():
        names = {key: spec.name for key, spec in specs.items() if spec is not None}
        if names:
            # A lifetime follows from many readings, and has its own time.
            found[name] = _Device("readings", _readings(names, kind, new=name == "tunes"), f"{name} of {pvs.ring.name}")
    return found


def _name(device: str, property: str) -> str:
    return "master_clock" if (device, property) == ("rf", "frequency") else f"{device}_{property}"


def _readings(names: Mapping[str, str], kind: FileKind, *, new: bool = True) -> dict[str, Any]:
    return {"pvs": names, "new": new and kind == "machine"}


def _setting(pvs: SettingPvs, averaged_s: float | None) -> dict[str, Any]:
    return {
        "setpoint_pv": pvs.setpoint.name,
        "readback_pv": pvs.readback.name,
        "tolerance": float(f"{pvs.tolerance:.6g}"),
        "timeout_s": pvs.timeout_s,
        "settle_s": 0.0 if averaged_s is None else pvs.settle_s + averaged_s,
        "unit": pvs.setpoint.unit,
        "limits": list(pvs.setpoint.drive) if pvs.setpoint.drive else None,
    }


def _monitors(pvs: MachinePvs, kind: FileKind) -> _Device:
    """Describe the monitors: an array of all positions where the machine has one, else the single ones."""
    names = [bpm.name for bpm in pvs.ring.bpms]
    description = f"all {len(names)} beam position monitors of {pvs.ring.name}"
    spec = pvs.first(sources.MONITOR_POSITIONS_INTERLEAVED, sources.MONITOR_POSITIONS)
    count = pvs.counter_of(spec) if spec is not None else None
    if spec is None or count is None:
        planes = [pvs.each(source) for source in sources.MONITOR]
        single = {_identifier(f"{name}_{x}"): plane[name].name for x, plane in zip("xy", planes, strict=True)
                  for name in names if name in plane}  # fmt: skip
        return _Device("readings", _readings(single, kind), description)
    arguments = {
        "positions_pv": spec.name,
        "count_pv": count.name,
        "factor": MM / spec.scale,
        "interleaved": spec.source == sources.MONITOR_POSITIONS_INTERLEAVED.name,
        "monitors": names,
        "new": kind == "machine",
    }
    return _Device("Monitors", arguments, description)


def _identifier(name: str) -> str:
    """Make a name of Python of a device's name."""
    text = re.sub(r"\W", "_", name, flags=re.ASCII)
    return f"_{text}" if text[:1].isdigit() or keyword.iskeyword(text) else text


def happi_database(pvs: MachinePvs, kind: FileKind = "twin") -> str:
    """Write a database of happi (JSON) with all devices; to load one needs `gnomon[bluesky]`."""
    items: dict[str, Any] = {}
    for name, device in _devices(pvs, kind).items():
        key = _identifier(name)
        items[key] = {
            "_id": key,
            "name": key,
            "type": "OphydItem",
            "device_class": f"gnomon.clients.classic.{device.make}",
            "args": [""],
            "kwargs": {"name": name, **device.arguments},
            "prefix": pvs.prefix,
            "active": True,
            "documentation": device.description,
        }
    return json.dumps(items, indent=1, ensure_ascii=False) + "\n"


def ophyd_file(pvs: MachinePvs, kind: FileKind = "twin") -> str:
    """Write a Python file of classic ophyd devices that needs ophyd alone: `devices["NAME"]` makes one."""
    classes = files("gnomon.clients").joinpath("classic.py").read_text(encoding="utf-8")
    _, _, code = classes.partition('"""\n\n')
    table = {name: (device.make, dict(device.arguments)) for name, device in _devices(pvs, kind).items()}
    shown = pformat(table, width=118, sort_dicts=False)
    title = (
        f"Classic ophyd devices of {pvs.ring.name} under the prefix {pvs.prefix!r}, written by `gnomon export ophyd`."
    )
    return (
        f'"""{title}\n\n'
        "`devices[NAME]` makes a device when it is asked for; `list(devices)` has all names. Needs ophyd alone.\n"
        f'"""\n\n{_without_comments(code)}\n\n'
        f"#: Each device's class and arguments.\nTABLE = {shown}\n\n\n"
        "class Devices(dict):\n"
        '    """All devices by name, each made when it is asked for."""\n\n'
        "    def __missing__(self, name):\n"
        "        make, arguments = TABLE[name]\n"
        "        self[name] = device = globals()[make](name=name, **arguments)\n"
        "        return device\n\n"
        "    def __iter__(self):\n"
        "        return iter(TABLE)\n\n"
        "    def __len__(self):\n"
        "        return len(TABLE)\n\n\n"
        "devices = Devices()\n"
    )


def _without_comments(code: str) -> str:
    """Take out what only our own checks read."""
    return re.sub(r"  # (type: ignore|noqa|fmt)[^\n]*", "", code)
