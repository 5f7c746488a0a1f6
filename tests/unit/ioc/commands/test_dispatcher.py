"""One ordered queue: number, journal, faults, model, completion."""

import asyncio
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from gnomon.fault_injection import Fault
from gnomon.ioc.commands.validation import SetpointRequest
from gnomon.ioc.outputs.bank import Severity
from gnomon.ioc.outputs.stored_beam_outputs import Equilibrium
from gnomon.lattice import Lattice, Outcome, Setting
from gnomon.propagator import BeamState
from gnomon.recorder import Journal
from gnomon.recorder.entries import Entry
from gnomon.recorder.reader import Reader
from unit.ioc.rig import CLIENT, beam, running


def entries(folder: Path) -> list[Entry]:
    with Reader(folder / "journal") as reader:
        return list(reader.entries())


async def test_put_completes_after_outputs_are_published(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        before = rig.get("T:BPM1:rdX").generation
        reply = await rig.put("T:CP:set", 1.5)
        after = rig.get("T:BPM1:rdX")
        assert reply.accepted
        assert after.value == pytest.approx(1.5)
        assert after.generation > before
        assert rig.get("T:CP:rdbk").value == 1.5
        assert rig.get("T:dt:command").value == reply.sequence
        assert rig.get("T:dt:lattice").value == reply.lattice_id


async def test_outputs_of_one_result_have_one_time_stamp_and_one_generation(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.put("T:CP:set", 1.0)
        names = ("T:BPM1:rdX", "T:BPM1:rdY", "T:TUNEZR:rdH", "T:CP:rdbk", "T:beam:orbit:x", "T:ORBITCC:rdBpm")
        readings = [rig.get(name) for name in names]
        assert len({(r.time_ns, r.generation) for r in readings}) == 1


async def test_the_journal_has_a_command_before_anything_shows_it(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        seen: list[int] = []

        def look(_: object) -> None:
            with Reader(tmp_path / "journal") as reader:
                seen.append(len(list(reader.entries())))

        rig.bank.listen(look)
        await rig.put("T:CP:set", 1.0)
        assert seen
        assert min(seen) == 1


async def test_puts_in_quick_succession_end_with_the_last_value(tmp_path: Path) -> None:
    def slow(lattice: Lattice) -> BeamState:
        time.sleep(0.01)
        return beam(lattice)

    async with running(tmp_path, slow) as rig:
        waiting = [rig.start_put("T:CP:set", i / 10) for i in range(50)]
        await asyncio.gather(*waiting)
        assert rig.get("T:CP:set").value == rig.get("T:CP:rdbk").value == 4.9
        assert rig.get("T:BPM1:rdX").value == pytest.approx(4.9)
        assert rig.get("T:dt:generation").value < 50
    assert [e.changes[0].new for e in entries(tmp_path)] == [i / 10 for i in range(50)]
    assert [e.sequence for e in entries(tmp_path)] == list(range(1, 51))


async def test_puts_from_many_threads_have_gapless_numbers(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        index = rig.bank.index["T:CP:set"]
        futures: list[asyncio.Future[object]] = []
        lock = threading.Lock()

        def many() -> None:
            for i in range(25):
                future = rig.dispatcher.put(index, i / 10, CLIENT)
                with lock:
                    futures.append(future)  # type: ignore[arg-type]

        threads = [threading.Thread(target=many) for _ in range(4)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            await asyncio.sleep(0.01)
        await asyncio.gather(*(asyncio.wrap_future(f) for f in futures))
    assert [e.sequence for e in entries(tmp_path)] == list(range(1, 101))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e9, "abc", [1.0, 2.0], None])
async def test_a_refused_put_moves_nothing_and_stands_in_the_journal(tmp_path: Path, value: object) -> None:
    async with running(tmp_path) as rig:
        before = rig.get("T:CP:set"), rig.get("T:CP:rdbk"), rig.get("T:dt:generation")
        reply = await rig.put("T:CP:set", value)
        assert not reply.accepted
        assert "T:CP:set" in reply.message
        assert (rig.get("T:CP:set"), rig.get("T:CP:rdbk"), rig.get("T:dt:generation")) == before
    (entry,) = entries(tmp_path)
    assert entry.outcome is Outcome.REJECTED
    assert entry.reason == reply.message


async def test_a_put_to_a_reading_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        reply = await rig.put("T:CP:rdbk", 1.0)
        assert not reply.accepted
        assert "read-only" in reply.message
    assert entries(tmp_path)[0].outcome is Outcome.REJECTED


async def test_several_setpoints_are_one_command_one_lattice_one_generation(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        before = rig.get("T:dt:generation").value
        settings = (Setting("T:CP:set", "CP", "current", 1.0), Setting("T:OCP:set", "OCP", "current", 2.0))
        reply = await asyncio.wrap_future(rig.dispatcher.command(SetpointRequest(settings), CLIENT, "ramp"))
        assert reply.accepted
        assert rig.get("T:dt:generation").value == before + 1
        assert (rig.get("T:CP:rdbk").value, rig.get("T:OCP:rdbk").value) == (1.0, 2.0)
        assert (rig.get("T:CP:set").value, rig.get("T:OCP:set").value) == (1.0, 2.0)
    (entry,) = entries(tmp_path)
    assert (len(entry.changes), entry.note) == (2, "ramp")


async def test_of_several_setpoints_one_out_of_limits_refuses_all(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        settings = (Setting("T:CP:set", "CP", "current", 1.0), Setting("T:OCP:set", "OCP", "current", 200.0))
        reply = await asyncio.wrap_future(rig.dispatcher.command(SetpointRequest(settings), CLIENT))
        assert not reply.accepted
        assert (rig.get("T:CP:rdbk").value, rig.get("T:CP:set").value) == (0.0, 0.0)


async def test_a_trim_set_directly_shows_as_the_strength_s_setpoint(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.put("T:QF:Cm:set", 1.3)
        setting = Setting("T:dt:set", "QF", "k1_trim", 0.0)
        await asyncio.wrap_future(rig.dispatcher.command(SetpointRequest((setting,)), CLIENT, "undo 1"))
        assert rig.get("T:QF:Cm:set").value == pytest.approx(1.2, rel=1e-12)
        assert rig.get("T:QF:Cm:rdbk").value == pytest.approx(1.2, rel=1e-12)


async def test_an_abandoned_put_succeeds_and_the_readback_keeps_its_value(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.injector.add(Fault.from_request({"kind": "abandon", "device": "CP"}))
        reply = await rig.put("T:CP:set", 1.0)
        assert reply.accepted
        assert (rig.get("T:CP:set").value, rig.get("T:CP:rdbk").value) == (1.0, 0.0)
    assert entries(tmp_path)[0].outcome is Outcome.ABANDONED


async def test_a_delayed_put_completes_when_it_has_been_applied(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.injector.add(Fault.from_request({"kind": "delay", "device": "CP", "delay_s": 0.2, "count": 1}))
        delayed = rig.start_put("T:CP:set", 1.0)
        while not delayed.done() and rig.get("T:CP:set").value != 1.0:
            await asyncio.sleep(0.005)
        assert not delayed.done()
        assert (rig.get("T:CP:set").value, rig.get("T:CP:rdbk").value) == (1.0, 0.0)
        assert (await delayed).accepted
        assert rig.get("T:CP:rdbk").value == 1.0
    assert [o.outcome for o in entries(tmp_path)[0].outcomes] == [Outcome.DELAYED, Outcome.APPLIED]


async def test_a_modified_put_shows_the_difference_in_the_readback(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.injector.add(Fault.from_request({"kind": "modify", "device": "CP", "offset": 0.5}))
        await rig.put("T:CP:set", 1.0)
        assert (rig.get("T:CP:set").value, rig.get("T:CP:rdbk").value) == (1.0, 1.5)
    assert entries(tmp_path)[0].outcome is Outcome.MODIFIED


async def test_without_a_beam_outputs_are_invalid_with_their_old_time_stamp_and_come_back(tmp_path: Path) -> None:
    def lost(lattice: Lattice) -> BeamState:
        if lattice["CP", "current"] > 5.0:
            return beam(lattice, found=False, reason="no closed orbit was found")
        return beam(lattice)

    async with running(tmp_path, lost) as rig:
        await rig.put("T:CP:set", 1.0)
        good = rig.get("T:BPM1:rdX")
        assert (await rig.put("T:CP:set", 6.0)).accepted
        bad = rig.get("T:BPM1:rdX")
        assert (bad.severity, bad.time_ns, bad.value) == (Severity.INVALID, good.time_ns, good.value)
        assert rig.get("T:TUNEZR:rdH").severity is Severity.INVALID
        assert rig.get("T:beam:orbit:found").value == 0
        assert rig.get("T:dt:reason").value == "no closed orbit was found"
        assert (rig.get("T:CP:rdbk").value, rig.get("T:CP:rdbk").severity) == (6.0, Severity.MINOR)
        await rig.put("T:CP:set", 0.5)
        back = rig.get("T:BPM1:rdX")
        assert (back.severity, back.value) == (Severity.NO_ALARM, pytest.approx(0.5))
        assert rig.get("T:beam:orbit:found").value == 1


async def test_a_model_that_hangs_fails_the_put_and_the_next_result_recovers(tmp_path: Path) -> None:
    def hangs(lattice: Lattice) -> BeamState:
        if lattice["CP", "current"] == 2.0:
            time.sleep(0.6)
        return beam(lattice)

    async with running(tmp_path, hangs, timeout_s=0.2) as rig:
        reply = await rig.put("T:CP:set", 2.0)
        assert not reply.accepted
        assert "took longer than 0.2 s" in reply.message
        assert rig.get("T:BPM1:rdX").severity is Severity.INVALID
        assert (await rig.put("T:CP:set", 1.0)).accepted
        assert rig.get("T:BPM1:rdX").severity is Severity.NO_ALARM
    first = entries(tmp_path)[0]
    assert [o.outcome for o in first.outcomes] == [Outcome.APPLIED, Outcome.APPLIED]
    assert "without result" in first.reason


async def test_a_model_that_raises_fails_the_put_with_its_reason(tmp_path: Path) -> None:
    def raises(lattice: Lattice) -> BeamState:
        if lattice["CP", "current"] == 2.0:
            raise ZeroDivisionError("kernel")
        return beam(lattice)

    async with running(tmp_path, raises) as rig:
        reply = await rig.put("T:CP:set", 2.0)
        assert not reply.accepted
        assert "ZeroDivisionError" in reply.message


async def test_a_result_that_cannot_be_published_leaves_nothing_that_looks_fresh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    async with running(tmp_path) as rig:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        with monkeypatch.context() as patch:
            patch.setattr(Equilibrium, "put", fail)
            reply = await rig.put("T:CP:set", 1.0)
        assert reply.message == "outputs were not published: ZeroDivisionError: a bug"
        assert rig.get("T:BPM1:rdX").severity is Severity.INVALID
        assert rig.get("T:dt:reason").value == reply.message
        assert rig.get("T:CP:rdbk").value == 1.0
        assert (await rig.put("T:CP:set", 2.0)).accepted
        assert rig.get("T:BPM1:rdX").value == pytest.approx(2.0)


async def test_a_journal_that_cannot_be_written_fails_the_put_and_nothing_moves(tmp_path: Path) -> None:
    full = False

    def connect(path: Path) -> sqlite3.Connection:
        if full:
            raise sqlite3.OperationalError("database or disk is full")
        from gnomon.recorder.schema import open_for_writing

        return open_for_writing(path)

    journal = Journal(tmp_path / "journal", connect)
    async with running(tmp_path, journal=journal) as rig:
        await rig.put("T:CP:set", 1.0)
        full = True
        connection = journal._connection
        assert connection is not None
        connection.execute("PRAGMA query_only = ON")  # every write fails, as on a disk that is read-only by now
        reply = await rig.put("T:CP:set", 2.0)
        assert not reply.accepted
        assert "cannot be written" in reply.message
        assert (rig.get("T:CP:set").value, rig.get("T:CP:rdbk").value) == (1.0, 1.0)
        assert rig.get("T:dt:recorder").severity is Severity.MAJOR
        full = False
        assert (await rig.put("T:CP:set", 3.0)).accepted
        assert rig.get("T:dt:recorder").severity is Severity.NO_ALARM
    assert [(e.sequence, e.changes[0].new) for e in entries(tmp_path)] == [(1, 1.0), (2, 3.0)]


async def test_a_put_after_the_stop_is_answered(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        pass
    reply = await asyncio.wrap_future(rig.dispatcher.put(rig.bank.index["T:CP:set"], 1.0, CLIENT))
    assert not reply.accepted
    assert "stopping" in reply.message
