"""A machine document that somebody else has put is announced, shown, and taken over only when asked to."""

import asyncio
import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from p4p.client.thread import Context
from p4p.nt import NTURI
from patience import PATIENCE_S

from gnomon.db import DocumentFile
from gnomon.db.document_difference import Difference
from gnomon.db.store import NEW, AwayError, StoreError
from gnomon.fault_injection import Fault
from gnomon.ioc.app import serving as serving_module
from gnomon.ioc.app.document_watch import CHANGED, NEWEST, UNKNOWN, DocumentState, DocumentWatch
from gnomon.ioc.app.forks import ForkRequest
from gnomon.ioc.app.machine_reload import ReloadError
from gnomon.ioc.app.serving import Serving
from gnomon.ioc.app.twin import make_twin
from gnomon.ioc.base.machines import keep_document
from gnomon.recorder.reader import Reader
from unit.ioc.app.serving_stage import served
from unit.ioc.rig import CLIENT

pytestmark = pytest.mark.network


def put_document(folder: Path, **changes: Any) -> int:
    """Put the newest document with some keys changed, as somebody else would; returns its revision."""
    with DocumentFile(folder / "documents.sqlite") as store:
        newest = store.get("machine", "small")
        document = newest.document | changes
        return store.put("machine", "small", document, newest.revision).revision


def other_drift(folder: Path) -> dict[str, Any]:
    with DocumentFile(folder / "documents.sqlite") as store:
        elements = store.get("machine", "small").document["elements"]
    for name, length in (("D1", 1.1), ("D2", 0.9)):
        next(each for each in elements if each["name"] == name)["length"] = length
    return {"elements": elements}


async def call(serving: Serving, name: str, **arguments: str) -> Any:
    def ask() -> Any:
        with Context("pva", conf=dict(serving.servers.pva_endpoint.client_variables), useenv=False, nt=False) as client:
            types = [(key, "s") for key in arguments]
            return client.rpc(name, NTURI(types).wrap(name, kws=arguments, scheme="pva"), timeout=PATIENCE_S)

    return await asyncio.to_thread(ask)


async def shown(serving: Serving, told: DocumentState) -> None:
    """Wait until the PVs of the twin and its forks show what is known of the document."""
    async with asyncio.timeout(PATIENCE_S):
        for twin in (serving.twin, *(fork.twin for fork in serving.forks.all())):
            names = (f"{twin.prefix}dt:document", f"{twin.prefix}dt:document:reason")
            while tuple(twin.bank.reading(twin.bank.index[name]).value for name in names) != told:
                await asyncio.sleep(0.02)


async def set_current(serving: Serving, value: float) -> None:
    twin = serving.twin
    future = twin.dispatcher.put(twin.bank.index["T:CP:set"], value, CLIENT)
    assert (await asyncio.wait_for(asyncio.wrap_future(future), PATIENCE_S)).accepted


async def test_a_changed_document_is_announced_and_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gnomon.machine")
    more = {"store": {"path": str(tmp_path / "documents.sqlite"), "look_s": 0.02}}
    async with served(tmp_path, monkeypatch, **more) as serving:
        digest = serving.twin.machine.ring.digest
        assert put_document(tmp_path, **other_drift(tmp_path)) == 2
        async with asyncio.timeout(PATIENCE_S):
            while serving.watch.waiting is None:
                await asyncio.sleep(0.01)
        assert serving.watch.waiting.revision == 2
        told = serving.watch.state
        assert told.state == CHANGED
        assert told.reason.startswith("revision 2 in the store: gnomon machine diff shows it")
        await shown(serving, told)
        assert serving.twin.machine.ring.digest == digest
    announced = [record.message for record in caplog.records if "revision 2 in the store" in record.message]
    assert len(announced) == 1
    assert "`gnomon machine diff` shows it, `gnomon machine reload` takes it over" in announced[0]


async def test_a_reload_takes_the_document_and_keeps_settings_clients_and_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(tmp_path, monkeypatch) as serving:
        before = serving.twin.machine.ring.digest
        await set_current(serving, 0.5)
        put_document(tmp_path, **other_drift(tmp_path))
        assert (await call(serving, "T:dt:machine", do="look"))["waiting"] == 2
        assert serving.watch.differences() == (
            Difference("elements.D1.length", "1.0", "1.1"),
            Difference("elements.D2.length", "1.0", "0.9"),
        )
        told = await call(serving, "T:dt:reload")
        assert told["revision"] == 2
        await shown(serving, DocumentState(NEWEST))
        ring = serving.twin.machine.ring
        assert (ring.digest != before, told["digest"]) == (True, ring.digest)
        bank = serving.twin.bank
        assert bank.values[bank.index["T:CP:set"]] == 0.5
        assert (await call(serving, "T:dt:machine", do="look"))["waiting"] == 0
        await set_current(serving, 0.25)
        with pytest.raises(ReloadError, match="nothing to take over"):
            await serving.reload(CLIENT)
    with Reader(tmp_path / "twin.journal") as reader:
        notes = [entry.note for entry in reader.entries()]
        assert [run.digest for run in reader.runs()] == [before, ring.digest]
    assert notes[1].startswith("machine document of revision 2, taken over by ")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"elements": []}, "revision 2 cannot be used: "),
        ({"pvs": "bessy2"}, "revision 2|cannot|no|unknown"),
    ],
)
async def test_a_document_that_does_not_fit_is_refused_and_the_present_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: Mapping[str, Any], reason: str
) -> None:
    async with served(tmp_path, monkeypatch) as serving:
        twin = serving.twin
        put_document(tmp_path, **changes)
        with pytest.raises(Exception, match=reason):
            await serving.reload(CLIENT)
        assert serving.twin is twin
        await set_current(serving, 0.5)


async def test_faults_and_forks_have_to_end_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(tmp_path, monkeypatch) as serving:
        put_document(tmp_path, **other_drift(tmp_path))
        serving.twin.injector.add(Fault.from_request({"kind": "abandon", "device": "CP"}))
        with pytest.raises(ReloadError, match=r"faults are injected \(1\): clear them first"):
            await serving.reload(CLIENT)
        serving.twin.injector.clear()
        await serving.forks.add(serving.twin, ForkRequest("WHATIF", "W:"), CLIENT)
        await shown(serving, serving.watch.state)
        assert serving.watch.state.state == CHANGED
        with pytest.raises(ReloadError, match=r"there are forks \(WHATIF\): drop them first"):
            await serving.reload(CLIENT)
        await serving.forks.drop("WHATIF", CLIENT)
        assert (await serving.reload(CLIENT))["revision"] == 2


async def test_a_document_with_other_limits_is_taken_over_when_clients_may_connect_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(tmp_path, monkeypatch) as serving:
        await set_current(serving, 0.5)
        bank = serving.twin.bank
        before = bank.specs[bank.index["T:QFP:set"]].drive
        elements = other_drift(tmp_path)["elements"]
        next(each for each in elements if each["name"] == "QF")["k1"] = 1.3
        put_document(tmp_path, elements=elements)
        with pytest.raises(ReloadError, match=r"changes what clients were told of their PVs \(T:.*: --reconnect"):
            await serving.reload(CLIENT)
        client = Context("pva", conf=dict(serving.servers.pva_endpoint.client_variables), useenv=False, nt=False)
        seen: list[Any] = []
        watching = client.monitor("T:CP:set", seen.append, notify_disconnect=True)
        try:
            told = await call(serving, "T:dt:reload", reconnect="yes")
            assert (told["revision"], told["reconnect"]) == (2, True)
            async with asyncio.timeout(PATIENCE_S):
                while serving.twin.machine.ring.digest != told["digest"] or serving.servers.prefixes != ("T:",):
                    await asyncio.sleep(0.01)
                while not seen or isinstance(seen[-1], Exception) or serving.twin.bank is bank:
                    await asyncio.sleep(0.01)
            bank = serving.twin.bank
            assert bank.specs[bank.index["T:QFP:set"]].drive != before
            assert bank.values[bank.index["T:CP:set"]] == 0.5
            limits = await asyncio.to_thread(client.get, "T:QFP:set")
            assert limits["control.limitHigh"] == bank.specs[bank.index["T:QFP:set"]].drive[1]  # type: ignore[index]
        finally:
            watching.close()
            client.close()


async def test_a_reload_that_fails_at_the_end_leaves_the_document_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gnomon.ioc.app import serving as module
    from gnomon.recorder import JournalError

    async with served(tmp_path, monkeypatch) as serving:
        await set_current(serving, 0.5)
        digest = serving.twin.machine.ring.digest
        put_document(tmp_path, **other_drift(tmp_path))
        failed: list[int] = []

        async def fail_once(*arguments: Any) -> Any:
            if not failed:
                failed.append(1)
                raise JournalError("the disk is full")
            return await make_twin(*arguments)

        monkeypatch.setattr(module, "make_twin", fail_once)
        with pytest.raises(ReloadError, match="the document before is served again: the disk is full"):
            await serving.reload(CLIENT)
        bank = serving.twin.bank
        assert (serving.twin.machine.ring.digest, bank.values[bank.index["T:CP:set"]]) == (digest, 0.5)
        await set_current(serving, 0.25)


async def test_a_store_that_fails_is_told_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gnomon.db import StorePlace
    from gnomon.ioc.app import document_watch
    from gnomon.ioc.base.log_limits import SparingLog
    from unit.ioc.rig import RING

    monkeypatch.setattr(document_watch, "_trouble", SparingLog(logging.getLogger("gnomon.machine")))
    path = tmp_path / "documents.sqlite"
    path.write_text("not a database, for now, and long enough to be taken for the header of one" * 10)
    watch = DocumentWatch(StorePlace(path), RING.document, 0.01)
    task = asyncio.create_task(watch.run())
    async with asyncio.timeout(PATIENCE_S):
        while "cannot be watched" not in caplog.text:
            await asyncio.sleep(0.01)
        assert watch.state.state == UNKNOWN
        assert "not a database" in watch.state.reason
        path.unlink()
        with DocumentFile(path) as store:
            store.put("machine", RING.document.name, {"schema": "gnomon.machine/1"}, NEW)
        while watch.waiting is None:
            await asyncio.sleep(0.01)
    task.cancel()
    assert watch.state == DocumentState(CHANGED, f"revision 1 in the store: {watch.problem}")
    assert watch.problem
    assert watch.document is None


async def away(*_: Any) -> None:
    raise AwayError("no MongoDB server answers")


async def test_a_server_starts_while_the_store_is_away_and_keeps_its_document_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = {"path": str(tmp_path / "documents.sqlite"), "look_s": 0.02}
    with monkeypatch.context() as without:
        without.setattr(serving_module, "keep_document", away)
        async with served(tmp_path, without, store=store) as serving:
            reason = "no MongoDB server answers; the served document is not in it yet"
            assert serving.watch.state == DocumentState(UNKNOWN, reason)
            await set_current(serving, 0.5)
            without.setattr(serving_module, "keep_document", keep_document)
            # The watch has the one that fails; a server that goes on gets the other.
            serving.watch._keep = partial(keep_document, serving.twin.machine, serving.recipe.config, 0)
            await shown(serving, DocumentState(NEWEST))
    with DocumentFile(tmp_path / "documents.sqlite") as documents:
        assert [each.revision for each in documents.history("machine", "small")] == [1]


async def test_a_document_kept_late_does_not_hide_what_somebody_has_put_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(tmp_path, monkeypatch) as serving:
        machine, config, began_ns = serving.twin.machine, serving.recipe.config, serving._began_ns
        put_document(tmp_path, **other_drift(tmp_path))
        await keep_document(machine, config, began_ns)
        assert (await serving.watch.look()) is not None
        await keep_document(machine, config)  # as a start does
        assert (await serving.watch.look()) is None


async def test_another_failure_of_the_store_keeps_a_server_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: Any) -> None:
        raise StoreError("the server refuses the user")

    monkeypatch.setattr(serving_module, "keep_document", refuse)
    with pytest.raises(StoreError, match="refuses the user"):
        async with served(tmp_path, monkeypatch):
            pass
