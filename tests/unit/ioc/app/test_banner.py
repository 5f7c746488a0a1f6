"""The first lines of a server: true, and safe to paste."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from gnomon.ioc.app.banner import introduce
from gnomon.ioc.app.initial_state import InitialState
from gnomon.ioc.app.serving import Serving
from gnomon.ioc.base.config import changed
from unit.ioc.app.serving_stage import served
from unit.ioc.rig import RING

pytestmark = pytest.mark.network


def lines(serving: Serving) -> list[str]:
    console = Console(file=io.StringIO(), width=200, soft_wrap=True, emoji=False, highlight=False)
    introduce(serving, console, 1.234)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def with_twin(serving: Serving, **changes: Any) -> Serving:
    return replace(serving, twin=replace(serving.twin, **changes))


async def test_the_banner_says_what_is_served_where_and_two_commands_to_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(tmp_path, monkeypatch, forks={"start": {"WHATIF": "W:"}}) as serving:
        network, twin = serving.twin.config.network, serving.twin
        first, second, *rest = lines(serving)
        assert first == (
            f"gnomon a FODO cell: {len(RING.elements)} elements, {len(twin.machine.document.supplies)} supplies, "
            "1 monitors"
        )
        assert second == (
            f"  {len(twin.bank.specs)} PVs as 'T:'..., lattice {RING.nominal.id}, role twin (independent)"
        )
        where, journal, fork, others, trying, put, get, ready = rest
        assert where == (
            f"  Channel Access 127.0.0.1:{serving.servers.ca.port}, PV Access 127.0.0.1:{network.pva_port}"
        )
        assert journal == f"  journal {tmp_path / 'twin.journal'}"
        assert fork.startswith(f"  fork WHATIF: {len(twin.bank.specs)} PVs as 'W:'..., lattice {RING.nominal.id}, ")
        assert trying == "  try:"
        assert put.endswith("gnomon put T:CP:set=0.1")
        assert f"EPICS_CA_SERVER_PORT={serving.servers.ca.port}" in others or "EPICS_CA_ADDR_LIST=" in others
        assert get.endswith("gnomon get T:TUNEZR:rdH")
        assert f"EPICS_PVA_BROADCAST_PORT={network.pva_broadcast_port}" in others
        assert ready == "ready after 1.23 s; stop with Ctrl-C"


async def test_the_banner_says_where_a_restored_server_begins_and_what_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(tmp_path, monkeypatch) as serving:
        initial = InitialState(
            RING.nominal, {("CP", "current"): 0.5}, "restore run 1", ("[bold]GONE[/] current = 1 A",)
        )
        shown = lines(with_twin(serving, initial_state=initial))
        assert "  restore run 1: settings that are not nominal: 1" in shown
        assert "  not restored: [bold]GONE[/] current = 1 A" in shown
        empty = lines(with_twin(serving, initial_state=InitialState(RING.nominal, {}, "nothing to restore")))
        assert "  nothing to restore" in empty
        here = serving.twin.initial_state.lattice
        asked = lines(with_twin(serving, initial_state=InitialState(here, {}, "from [bold]a.json")))
        assert "  from [bold]a.json" in asked


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"role": "machine"}, "role machine (stands in for the real machine, imperfect)"),
        (
            {"role": "machine", "imperfections": {"scale": 0.0}},
            "role machine (stands in for the real machine, without its imperfections)",
        ),
        (
            {"role": "shadow", "shadow": {"addresses": ["a", "b:1"], "prefix": "R:"}},
            "role shadow of 'R:'... at a b:1 (Channel Access, read only)",
        ),
        (
            {"role": "shadow", "shadow": {"addresses": ["a"], "protocol": "pva"}},
            "role shadow of ''... at a (PV Access, read only)",
        ),
    ],
)
async def test_the_banner_says_the_role_of_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], words: str
) -> None:
    async with served(tmp_path, monkeypatch) as serving:
        shown = lines(with_twin(serving, config=changed(serving.twin.config, changes)))
    assert shown[1].endswith(words)
    puts = [line for line in shown if "gnomon put" in line]
    assert bool(puts) is (changes["role"] != "shadow")  # nobody sets a shadow
    if changes["role"] == "shadow":
        assert any(line.endswith("T:dt:residual:x:rms") for line in shown)


async def test_a_title_cannot_act_on_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(tmp_path, monkeypatch) as serving:
        document = serving.twin.machine.document.model_copy(update={"title": "[red]ring[/] \x1b[31m"})
        machine = replace(serving.twin.machine, document=document)
        first = lines(with_twin(serving, machine=machine))[0]
    assert "[red]ring[/] " in first
    assert "\x1b" not in first
