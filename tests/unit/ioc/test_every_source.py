"""Sources are named by their entries alone, all of them are written, and nobody reads back what was written."""

import ast
import asyncio
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from gnomon.db import shipped_machine, sources
from gnomon.db.machines import pv_document
from gnomon.db.naming import Naming
from gnomon.db.sources import SOURCES
from gnomon.db.templates import Placed, PvTemplate, expand, read_pvs
from gnomon.ioc.outputs.bank import Bank, Severity, Status
from gnomon.ioc.outputs.model_state import ModelState
from gnomon.ioc.outputs.outputs import Outputs
from gnomon.propagator import Answer, Propagator
from unit.ioc.shadow.fake_predictor import MillimetrePerAmpere
from unit.ioc.shadow.test_shadow import SETTLE_S, STATE, caught_up, eventually, following, readings, tune_khz

ROOT = Path(__file__).parents[3]
#: What servers, and nobody else, read of the bank.
SHOWN = {"values", "objects", "severity", "status", "time_ns", "generation", "reading"}
#: Faults disturb what clients see and have conditions on it, so that they read it as a client would.
FAULTS = {"ioc/app/active_faults.py", "ioc/app/injected_readings.py"}
#: Figures for probes and Prometheus, which are what PVs of status show.
FIGURES = {"ioc/app/twin_figures.py"}


def nodes(words: Collection[str], *folders: str) -> Iterator[tuple[str, ast.AST]]:
    """The nodes of each file in which one of the words stands; nothing is looked for in the others."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            if any(word in text for word in words):
                yield from ((str(path.relative_to(ROOT)), node) for node in ast.walk(ast.parse(text)))


def written(bank: Bank) -> set[str]:
    """The sources of PVs that have got a value since the bank was made."""
    return {spec.source for spec, status in zip(bank.specs, bank.status, strict=True) if status != Status.UDF}


def of_a_ring_with_a_stored_beam() -> set[str]:
    ring = shipped_machine("mls")
    more = PvTemplate(pv="positions", source=sources.MONITOR_POSITIONS.name, description="")
    bank = Bank(expand((*read_pvs("mls", pv_document), Placed(more, "", Naming())), ring, ""), 0)
    outputs = Outputs(bank, ring, ModelState(len(ring.bpms)), lambda: 10**12)
    outputs.start(ring.nominal)
    outputs.publish(Answer(1, 1, ring.nominal, Propagator(ring)(ring.nominal), "", 1e-3))
    return written(bank)


async def test_producers_write_the_sources_of_the_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with following(tmp_path, monkeypatch, make_predictor=MillimetrePerAmpere) as (rig, link):
        rig.status.begin()
        link.say(STATE)
        await caught_up(rig)
        await asyncio.sleep(2.0 * SETTLE_S)
        link.say(readings(1.25, -1.0) | {"TUNEZR:rdH": tune_khz(3.251), "TUNEZR:rdV": tune_khz(2.4)})
        await eventually(lambda: rig.get("T:dt:residual:x").severity is Severity.NO_ALARM)
        await eventually(lambda: rig.get("T:dt:bound:outside").severity is Severity.NO_ALARM)
        of_a_shadow = written(rig.bank)
    assert SOURCES.keys() == of_a_shadow | of_a_ring_with_a_stored_beam()


def test_no_producer_spells_a_source() -> None:
    names = {name for name in SOURCES if "." in name}
    quoted = {f"{quote}{name}{quote}" for name in names for quote in ("'", '"')}
    spelled = [
        f"{place}:{node.lineno}: {node.value}"
        for place, node in nodes(quoted, "ioc", "recorder", "cli", "propagator")
        if isinstance(node, ast.Constant) and node.value in names
    ]
    assert spelled == []


def test_only_servers_read_what_the_bank_shows() -> None:
    read = [
        f"{place}:{node.lineno}: {ast.unparse(node)}"
        for place, node in nodes(["bank"], "ioc/app", "ioc/commands", "ioc/outputs", "ioc/panels", "ioc/shadow")
        if isinstance(node, ast.Attribute) and node.attr in SHOWN and ast.unparse(node.value).endswith("bank")
    ]
    assert [line for line in read if line.partition(":")[0] not in FAULTS | FIGURES] == []
