"""A server from its configuration to clients, in this process: what is served, kept, restored and let go of."""

import asyncio
import gc
import socket
import weakref
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from p4p.client.thread import Context
from p4p.nt import NTURI
from patience import PATIENCE_S

from gnomon.fault_injection import Fault
from gnomon.ioc.app import serving as module
from gnomon.ioc.app.serving import RenewalError, Serving, start
from gnomon.ioc.base.config import Config, changed
from gnomon.ioc.base.machines import known_machines
from gnomon.ioc.servers.duplicate_pvs import DuplicatePvError
from gnomon.lattice import DocumentError
from gnomon.recorder import JournalError
from gnomon.recorder.reader import Reader
from unit.ioc.app.serving_stage import config_in, served
from unit.ioc.rig import CLIENT, RING, beam

pytestmark = pytest.mark.network


async def put(serving: Serving, name: str, value: float) -> None:
    twin = serving.twin
    future = twin.dispatcher.put(twin.bank.index[name], value, CLIENT)
    reply = await asyncio.wait_for(asyncio.wrap_future(future), PATIENCE_S)
    assert reply.accepted, reply.message


async def get(serving: Serving, name: str) -> Any:
    def ask() -> Any:
        with Context("pva", conf=dict(serving.servers.pva_endpoint.client_variables), useenv=False, nt=False) as client:
            return client.get(name)["value"]

    return await asyncio.to_thread(ask)


async def test_a_put_moves_the_beam_that_clients_read_and_stands_in_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(tmp_path, monkeypatch) as serving:
        await put(serving, "T:CP:set", 0.5)
        assert await get(serving, "T:BPM1:rdX") == pytest.approx(0.5)
        assert serving.twin.bank.values[serving.twin.bank.index["T:dt:journal:last"]] == 0  # the figures come with time
        assert serving.servers.prefixes == ("T:",)
    with Reader(tmp_path / "twin.journal") as reader:
        (entry,) = reader.entries()
    assert [(c.pv, c.new) for c in entry.changes] == [("T:CP:set", 0.5)]


async def test_a_server_begins_nominal_or_where_the_last_one_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(tmp_path, monkeypatch) as serving:
        await put(serving, "T:CP:set", 0.5)
        left = serving.twin.dispatcher.lattice.id
    again = {"journal": str(tmp_path / "twin.journal"), "restore": True}
    async with served(tmp_path, monkeypatch, recorder=again) as serving:
        assert serving.twin.initial_state.lattice.id == left
        assert serving.twin.initial_state.changes == {("CP", "current"): 0.5}
        assert await get(serving, "T:CP:rdbk") == 0.5
    async with served(tmp_path, monkeypatch, recorder=again | {"restore": False}) as serving:
        assert serving.twin.initial_state.lattice.id == RING.nominal.id


async def test_forks_of_the_configuration_are_served_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(tmp_path, monkeypatch, forks={"start": {"WHATIF": "W:"}}) as serving:
        assert serving.servers.prefixes == ("T:", "W:")
        assert await get(serving, "W:CP:rdbk") == 0.0
        (fork,) = serving.forks.all()
        assert fork.twin.journal.path != serving.twin.journal.path


async def test_the_machine_s_document_is_kept_in_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(tmp_path, monkeypatch) as serving:
        config = serving.twin.config
    kept = await asyncio.to_thread(lambda: list(known_machines(config)))
    assert [machine.ring.digest for machine in kept if machine.origin != "shipped"] == [RING.digest]


async def test_everything_is_released_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = asyncio.all_tasks()
    async with served(tmp_path, monkeypatch) as serving:
        network = serving.twin.config.network
    for port in (network.ca_port, network.pva_port):
        with socket.socket() as free:
            free.bind(("127.0.0.1", port))
    async with asyncio.timeout(PATIENCE_S):
        while asyncio.all_tasks() - tasks:
            await asyncio.sleep(0.001)
    async with served(tmp_path, monkeypatch):
        """The journal can be had again."""


async def test_names_that_another_server_has_end_the_start_before_anything_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def taken(names: list[str], network: object) -> None:
        raise DuplicatePvError(f"another server already serves {names[0]!r}")

    monkeypatch.setattr(module, "refuse_duplicate_pvs", taken)
    monkeypatch.setattr(module, "Propagator", lambda *_: beam)
    async with AsyncExitStack() as stack:
        with pytest.raises(DuplicatePvError, match="another server already serves 'T:"):
            await start(config_in(tmp_path), stack)
    assert not (tmp_path / "twin.journal").exists()
    assert not (tmp_path / "documents.sqlite").exists()


async def test_a_journal_that_another_server_has_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(tmp_path, monkeypatch) as serving:
        before = serving.twin.bank.reading(serving.twin.bank.index["T:BPM1:rdX"])
        with pytest.raises(JournalError):
            async with served(tmp_path, monkeypatch):
                raise AssertionError("two servers write to one journal")
        assert serving.twin.bank.reading(serving.twin.bank.index["T:BPM1:rdX"]) == before


async def test_an_unknown_machine_is_refused_with_the_names_of_those_that_exist(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        with pytest.raises(DocumentError, match="there is no machine 'nothing'; use one of bessy2, mls"):
            await start(config_in(tmp_path, machine="nothing"), stack)


@pytest.mark.parametrize("more", [{"role": "machine"}, {"publish": {"repeat_hz": 50.0, "each_monitor": True}}])
async def test_each_monitor_of_a_machine_or_on_request_reads_on_and_on_and_keeps_its_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any]
) -> None:
    asked = {"publish": {"repeat_hz": 50.0}, "imperfections": {"scale": 0.0}} | more
    async with served(tmp_path, monkeypatch, **asked) as repeating:
        await reads_on(repeating)


async def reads_on(repeating: Serving) -> None:
    bank = repeating.twin.bank
    index = bank.index["T:BPM1:rdX"]
    first = bank.reading(index)
    async with asyncio.timeout(PATIENCE_S):
        while bank.reading(index).time_ns == first.time_ns:
            await asyncio.sleep(0.002)
    assert bank.reading(index).value == first.value


def other_files(serving: Serving, folder: Path, **more: Any) -> Config:
    own = {"recorder": {"journal": str(folder / "next.journal")}, "store": {"path": str(folder / "next.sqlite")}}
    return changed(serving.recipe.config, {**own, **more})


async def test_a_fresh_twin_takes_the_place_of_one_that_was_changed_and_clients_stay_connected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gc.freeze()  # so that only what is new is looked through
    async with served(tmp_path, monkeypatch, forks={"start": {"WHATIF": "W:"}}) as serving:
        client = Context("pva", conf=dict(serving.servers.pva_endpoint.client_variables), useenv=False, nt=False)
        seen: list[Any] = []
        watching = client.monitor("T:BPM1:rdX", seen.append, notify_disconnect=True)
        await put(serving, "T:CP:set", 0.5)
        serving.twin.injector.add(Fault.from_request({"kind": "abandon", "device": "CP"}))
        await asyncio.to_thread(client.put, "T:dt:orbit:ref:save", "mine")
        await asyncio.to_thread(client.put, "T:dt:orbit:ref:use", "mine")
        before = weakref.ref(serving.twin.dispatcher)
        await serving.renew(other_files(serving, tmp_path))
        try:
            bank = serving.twin.bank
            assert bank.values[bank.index["T:CP:set"]] == 0.0
            assert bank.reading(bank.index["T:BPM1:rdX"]).value == 0.0
            assert bank.reading(bank.index["T:dt:orbit:ref:use"]).value == "zero"
            assert serving.twin.injector.active() == ()
            assert [fork.name for fork in serving.forks.all()] == ["WHATIF"]
            assert serving.twin.journal.next_sequence == 1
            await asyncio.to_thread(client.put, "T:CP:set", 0.25)  # the fault is gone, the commands go to the new one
            async with asyncio.timeout(PATIENCE_S):
                while not seen or float(seen[-1]["value"]) != pytest.approx(0.25):
                    await asyncio.sleep(0.01)
            assert sum(isinstance(each, Exception) for each in seen) <= 1  # before the first connection alone
            told = await asyncio.to_thread(client.rpc, "T:dt:journal", NTURI([]).wrap("T:dt:journal", scheme="pva"))
            assert told["journal"] == str(tmp_path / "next.journal")
        finally:
            watching.close()
            client.close()
        gc.collect()
        assert before() is None
    with Reader(tmp_path / "next.journal") as reader:
        assert [entry.sequence for entry in reader.entries()] == [1]


async def test_a_twin_with_other_pvs_or_ports_cannot_take_the_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(tmp_path, monkeypatch) as serving:
        with pytest.raises(RenewalError, match="another prefix needs another server"):
            await serving.renew(other_files(serving, tmp_path, prefix="OTHER:"))
        assert await get(serving, "T:CP:set") == 0.0
