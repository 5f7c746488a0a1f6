"""Fields and filters over PV Access: type and content as QSRV serves them, and only while somebody has them."""

import math
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from conftest import EpicsPorts, free_port
from p4p.client.thread import Context, RemoteError
from patience import PATIENCE_S, wait_for

from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.base.config import AccessConfig
from gnomon.ioc.outputs.bank import Bank
from gnomon.ioc.servers.access import AccessRules
from system.ca.test_as_soft_ioc import DATABASE, SPECS, VALUES
from system.pva.stage import START_NS, FakeSink, Served, server_of
from system.pva.test_types import fields_of

pytest.importorskip("pvxslibs", reason="QSRV to compare with comes with pvxslibs")

FIELDS = {
    "C:current": (
        "DESC EGU PREC HOPR LOPR DRVH DRVL HIHI HIGH LOW LOLO HHSV HSV SEVR STAT RTYP NAME ADEL MDEL UDF SCAN"
        " PROC ASG DISP FLNK OUT AMSG PHAS PRIO LCNT HYST DESC$"
    ),
    "C:count": ("EGU HOPR HIHI HHSV MDEL INP"),
    "C:mode": ("ZRST FFST DESC"),
    "C:switch": ("ZNAM ONAM"),
    "C:reason": ("DESC VAL$"),
    "C:orbit": ("NELM FTVL EGU PREC DESC VAL[0] VAL[0:1] VAL[5:6]"),
    "C:names": ("VAL[1] VAL[0:1]"),
}
NAMES = [f"{record}.{field}" for record, fields in FIELDS.items() for field in fields.split()]
NAMES.append('C:orbit.{"arr":{"s":1,"e":2}}')


@pytest.fixture(scope="module")
def qsrv() -> Iterator[Context]:
    environment = EpicsPorts(free_port(), free_port(), free_port()).environment
    process = subprocess.Popen(
        [sys.executable, "-m", "pvxslibs.ioc", "-d", str(DATABASE)], env=os.environ | environment,
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        with Context("pva", conf=environment, useenv=False, nt=False) as context:
            yield context
    finally:
        process.communicate(b"exit()\n", timeout=PATIENCE_S)


def publish(bank: Bank, values: dict[str, Any], time_ns: int = START_NS) -> None:
    scalars = {bank.index[n]: float(v) for n, v in values.items() if not isinstance(v, str | list)}
    objects = {bank.index[n]: v for n, v in values.items() if isinstance(v, str | list)}
    arrays = {i: np.array(v) if isinstance(v, list) and not isinstance(v[0], str) else v for i, v in objects.items()}
    indices = np.array(list(scalars), dtype=np.intp)
    bank.publish((indices, np.array(list(scalars.values()))), arrays, time_ns=time_ns, generation=1)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    bank = Bank(SPECS, START_NS)
    sink = FakeSink(bank)
    server = server_of(bank, sink)
    endpoint = server.start()
    server.call(publish, bank, VALUES)
    yield Served(bank, sink, server, endpoint)
    server.stop()


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[Context]:
    with served.context(nt=False) as context:
        yield context


def content(value: Any) -> dict[str, Any]:
    """Content that can be compared: without the time stamp, and arrays as lists."""

    def plain(item: Any) -> Any:
        if isinstance(item, dict):
            return {name: plain(part) for name, part in item.items()}
        return item.tolist() if isinstance(item, np.ndarray) else item

    found: dict[str, Any] = plain(value.todict())
    found.pop("timeStamp")
    alarm = found["alarm"]
    # QSRV2 says nothing where there is no alarm, QSRV and we say NO_ALARM.
    alarm["message"] = alarm["message"] if alarm["severity"] else ""
    # Of fields of arrays it has zeros where others have NaN: no limits, either way.
    for name, limit in found.get("valueAlarm", {}).items():
        if isinstance(limit, float) and (limit != limit or limit == 0.0):
            found["valueAlarm"][name] = None
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_field_has_the_structure_that_qsrv_gives_it(qsrv: Context, client: Context, name: str) -> None:
    theirs, ours = qsrv.get(name), client.get(name)
    assert ours.getID() == theirs.getID()
    assert fields_of(ours.type().aspy()) == fields_of(theirs.type().aspy())
    expected, found = content(theirs), content(ours)
    if (name.startswith("C:orbit.") and "VAL" in name) or "{" in name:
        # The range to put values in: a reading has none, where a waveform repeats its display limits.
        assert expected.pop("control") != found.pop("control")
    assert found == expected


def test_val_is_the_pv_itself_and_can_be_put(served: Served, client: Context) -> None:
    value = client.get("C:current.VAL")
    assert content(value) == content(client.get("C:current"))
    client.put("C:current.VAL", {"value": 12.5})
    assert served.sink.puts[-1][:2] == ("C:current", 12.5)


def test_other_fields_cannot_be_put(served: Served, client: Context) -> None:
    before = len(served.sink.puts)
    with pytest.raises(RemoteError, match=r"C:current.DESC is read-only; nothing was changed"):
        client.put("C:current.DESC", {"value": "x"})
    assert len(served.sink.puts) == before


def test_a_long_text_is_put_as_bytes(served: Served, client: Context) -> None:
    client.put("C:current.VAL", {"value": 1.0})
    with pytest.raises(RemoteError, match="read-only"):
        client.put("C:reason.VAL$", {"value": np.frombuffer(b"why not", np.int8)})
    assert served.sink.puts[-1][:2] == ("C:reason", "why not")


def test_processing_posts_the_reading_again(served: Served, client: Context) -> None:
    stamps: list[int] = []
    with served.context() as other:
        subscription = other.monitor("C:current", lambda value: stamps.append(value.raw["timeStamp.secondsPastEpoch"]))
        assert wait_for(lambda: len(stamps) == 1)
        client.put("C:current.PROC", {"value": 1})
        assert wait_for(lambda: len(stamps) == 2)
        assert stamps[1] > stamps[0]
        subscription.close()


def test_a_monitor_of_a_field_hears_of_its_changes_alone(served: Served) -> None:
    seen: list[Any] = []
    with served.context(nt=False) as other:
        subscription = other.monitor("C:current.SEVR", lambda value: seen.append(value["value.index"]))
        assert wait_for(lambda: len(seen) == 1)
        for value in (1.0, 2.0, 20.0, 21.0, 0.0):
            served.server.call(publish, served.bank, {"C:current": value})
        assert wait_for(lambda: seen[-1] == 0 and len(seen) >= 4)
        assert [s for s, before in zip(seen, [None, *seen[:-1]], strict=True) if s != before][-3:] == [0, 2, 0]
        subscription.close()
    served.server.call(publish, served.bank, VALUES)


def test_a_deadband_holds_back(served: Served) -> None:
    seen: list[float] = []
    with served.context(nt=False) as other:
        subscription = other.monitor('C:plain.{"dbnd":{"abs":1}}', lambda value: seen.append(value["value"]))
        assert wait_for(lambda: len(seen) == 1)
        for value in (0.5, 0.6, 2.0, 2.5, 5.0):
            served.server.call(publish, served.bank, {"C:plain": value})
        assert wait_for(lambda: bool(seen) and seen[-1] == 5.0)
        assert seen[1:] == [2.0, 5.0]
        subscription.close()
    served.server.call(publish, served.bank, VALUES)


def test_fields_without_clients_are_forgotten(served: Served) -> None:
    hosted = served.server.server._hosted[0]
    names = {f"C:counts.VAL[0:{number}]" for number in range(20)}
    index = served.bank.index["C:counts"]
    with served.context(nt=False) as other:
        for name in names:
            other.get(name)
        assert names <= hosted._fields.keys()
        assert len(hosted._open_fields[index]) == 20
    assert wait_for(lambda: index not in hosted._open_fields and not names & hosted._fields.keys())


@pytest.mark.parametrize(
    "name", ["C:current.NONE", "C:orbit.VAL[", "X.DESC", 'C:current{"no":{}}', "C:current.VAL.VAL"]
)
def test_an_unknown_field_is_not_found(client: Context, name: str) -> None:
    with pytest.raises(TimeoutError):
        client.get(name, timeout=0.5)


def test_a_field_has_the_rights_of_its_record() -> None:
    bank = Bank(SPECS, START_NS)
    rules = [{"pvs": ["C:current"], "allow": "none"}, {"pvs": ["C:plain"], "allow": "write"}, {"allow": "read"}]
    server = server_of(bank, access=AccessRules(AccessConfig.model_validate({"rules": rules})))
    endpoint = server.start()
    served = Served(bank, FakeSink(bank), server, endpoint)
    try:
        with served.context(nt=False) as context:
            with pytest.raises(TimeoutError):
                context.get("C:current.DESC", timeout=0.5)
            assert context.get("C:mode.DESC")["value"] == "mode"
            context.put("C:plain.PROC", {"value": 1})
            with pytest.raises(RemoteError, match="may not write C:mode"):
                context.put("C:mode.PROC", {"value": 1})
    finally:
        server.stop()


def test_limits_beyond_the_type_of_a_field_are_the_widest_that_it_has() -> None:
    wide = (-math.inf, 1e12)
    spec = PvSpec(name="W:n", kind=Kind.INT, source="", description="", display=wide, drive=wide, record_type="longout")
    bank = Bank((spec,), START_NS)
    server = server_of(bank)
    endpoint = server.start()
    try:
        with Served(bank, FakeSink(bank), server, endpoint).context(nt=False) as context:
            assert context.get("W:n.DRVH")["value"] == 2**31 - 1
            assert context.get("W:n.HIHI")["display.limitLow"] == -(2**31)
    finally:
        server.stop()
