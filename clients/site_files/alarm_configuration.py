"""The configuration of Phoebus' alarm server: PVs that are worth an alarm, and what to do about each.

Format: XML as `alarm-server.sh -import` reads it: `config` with a name, `component` for each group, `pv` with
description, enabled, latching, annunciating, delay [s] and guidance.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from gnomon.clients.machine_pvs import MachinePvs
from gnomon.db import sources
from gnomon.db.pvs import AlarmLimits, PvSpec
from gnomon.db.sources import Source

__all__ = ["alarm_tree"]

#: Time that an alarm of the beam must last: outputs are INVALID for a moment while a lost beam is replaced [s].
BEAM_DELAY_S = 2


class _Watched(NamedTuple):
    """Sources of which the first one with a PV has an alarm of its own, without a limit in the PV document."""

    group: str
    sources: tuple[Source, ...]
    what: str
    guidance: str
    delay_s: int = 0


_WATCHED = (
    _Watched(
        "Beam",
        (sources.TUNE.x, sources.TUNE_FREQUENCY.x, sources.TUNE_FRACTION.x),
        "INVALID without a beam",
        "dt:reason says why there is no beam. `gnomon log` has the commands before it; `gnomon snapshot restore` and "
        "`gnomon log undo` bring settings back.",
        BEAM_DELAY_S,
    ),
    _Watched(
        "Server",
        (sources.RECORDER_STATE,),
        "MAJOR while the journal is not written",
        "No command is taken until the journal can be written. See the server's log, the disk, and `gnomon status`.",
    ),
    _Watched(
        "Server",
        (sources.MACHINE_CONNECTED,),
        "in alarm when a shadow does not reach its machine",
        "dt:machine:reason says why. Check the network and shadow.addresses in the configuration.",
        BEAM_DELAY_S,
    ),
)
_LIMITED = {
    sources.MODEL_HUNG.name: "At 4 hung computations nothing more is computed: restart the server.",
    sources.FAULTS_COUNT.name: "Faults are injected on purpose: `gnomon fault list` shows them, `gnomon fault clear` "
    "ends them.",
    sources.MACHINE_REFUSED.name: "The machine has settings that the model does not allow: see the server's log.",
}


def alarm_tree(pvs: MachinePvs, name: str) -> tuple[str, int]:
    """Write the configuration (XML) and count its PVs: those that cannot be missed, and all that have alarm limits.

    Of a setpoint and a readback with the same limits, the readback alone is watched. `name` is that of the whole
    configuration, as the alarm server is started with it.
    """
    root = Element("config", name=name)
    groups: dict[str, Element] = {}
    count = 0
    for group, spec, guidance, delay_s in _watched(pvs):
        if group not in groups:
            groups[group] = SubElement(root, "component", name=group)
        _add(groups[group], spec, guidance, delay_s)
        count += 1
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n", count


def _watched(pvs: MachinePvs) -> Iterator[tuple[str, PvSpec, str, int]]:
    for each in _WATCHED:
        if (spec := pvs.first(*each.sources)) is not None:
            yield each.group, spec, f"{spec.description}: {each.what}. {each.guidance}", each.delay_s
    for spec in _with_limits(pvs.specs):
        if spec.source in (sources.SET.name, sources.READBACK.name):
            yield "Settings", spec, f"{spec.device} {spec.property} {_limits(spec)}.", 0
        else:
            more = _LIMITED.get(spec.source, "")
            group = "Server" if more else "Readings"
            yield group, spec, f"{spec.description}: {_limits(spec)}. {more}".rstrip(), 0


def _with_limits(specs: Iterable[PvSpec]) -> Iterator[PvSpec]:
    limited = [spec for spec in specs if spec.alarm != AlarmLimits()]
    read = {(spec.device, spec.property) for spec in limited if spec.source == sources.READBACK.name}
    for spec in limited:
        if spec.source != sources.SET.name or (spec.device, spec.property) not in read:
            yield spec


def _limits(spec: PvSpec) -> str:
    alarm = spec.alarm
    named = (("lolo", alarm.lolo), ("low", alarm.low), ("high", alarm.high), ("hihi", alarm.hihi))
    unit = f" {spec.unit}" if spec.unit else ""
    given = ", ".join(f"{word} {value:g}{unit}" for word, value in named if value is not None)
    return f"has alarm limits {given}"


def _add(group: Element, spec: PvSpec, guidance: str, delay_s: int) -> None:
    pv = SubElement(group, "pv", name=spec.name)
    texts = {
        "description": spec.description or spec.name,
        "enabled": "true",
        "latching": "true",
        "annunciating": "false",
        **({"delay": str(delay_s)} if delay_s else {}),
    }
    for tag, text in texts.items():
        SubElement(pv, tag).text = text
    told = SubElement(pv, "guidance")
    SubElement(told, "title").text = "What to do"
    SubElement(told, "details").text = guidance
