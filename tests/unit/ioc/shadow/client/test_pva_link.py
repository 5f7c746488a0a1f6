"""The link over PV Access: PVs that are not as they should be."""

import asyncio
import time
from collections.abc import Sequence

from p4p import Type, Value
from p4p.nt import NTScalar
from p4p.server import Server
from p4p.server.thread import SharedPV
from patience import PATIENCE_S

from gnomon.ioc.shadow.client.pva_link import PvaLink
from gnomon.ioc.shadow.link import Update


class Sink:
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.heard: dict[int, Update] = {}

    def updated(self, updates: Sequence[Update]) -> None:
        self.heard |= {update.channel: update for update in updates}

    def lost(self, channels: Sequence[int]) -> None:
        for channel in channels:
            self.heard.pop(channel, None)


async def test_a_pv_without_alarm_and_time_does_not_keep_the_others_from_being_heard() -> None:
    bare = Type([("value", "d")], id="epics:nt/NTScalar:1.0")
    table = Type([("columns", "as")])
    pvs = {
        "BARE": SharedPV(initial=Value(bare, {"value": 2.5})),
        "NOTHING": SharedPV(initial=Value(table, {"columns": ["a"]})),
        "GOOD": SharedPV(nt=NTScalar("d"), initial=1.5),
    }
    with Server(providers=[pvs], isolate=True) as server:
        link, sink = PvaLink((f"127.0.0.1:{server.conf()['EPICS_PVA_BROADCAST_PORT']}",), 2.0), Sink()
        link.start(("NOTHING", "BARE", "GOOD"), sink)
        try:
            end = time.monotonic() + PATIENCE_S
            while len(sink.heard) < 2 and time.monotonic() < end:
                await asyncio.sleep(0.01)
        finally:
            link.close()
    assert {channel: update.value for channel, update in sink.heard.items()} == {1: 2.5, 2: 1.5}
    assert sink.heard[1].time_ns == 0  # a reading without a time is never fresh
