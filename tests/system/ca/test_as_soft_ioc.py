"""Every data type of every kind of record, and its fields, byte for byte as EPICS's own soft IOC sends them."""

import ctypes
import math
import os
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from caproto import DBR_TYPES
from conftest import EpicsPorts, free_port
from patience import PATIENCE_S

from gnomon.db.pvs import AlarmLimits, Kind, PvSpec
from gnomon.ioc.servers.ca import dbr
from system.ca.stage import CLEAR, CREATE, READ, WRITE, RawClient, Served
from system.fake_sink import FakeSink

DATABASE = Path(__file__).with_name("soft_ioc.db")
#: Types that values are read as: all but those that acknowledge alarms.
TYPES = [t for t in range(39) if t not in (35, 36)]
#: Where a value begins, by type: what stands before it, by the structures of another library.
HEADS = {t: ctypes.sizeof(DBR_TYPES[t]) for t in TYPES[7:35]} | {28: 4, 37: 8}
#: Bytes that mean nothing, in which the soft IOC sends what was there before: in TIME types, with the time stamp.
UNUSED = {t: slice(4, HEADS[t]) for t in range(14, 21)} | {11: slice(4, 5), 13: slice(4, 8)}
SIZES = (40, 2, 4, 2, 1, 4, 8)
#: Where we differ on purpose. Control limits are those of what can be put: ours has none for readings and states, where
#: the soft IOC repeats display limits and the widest mask. A class name is one text, however long the array.
DIFFERENT = {("C:orbit", t) for t in (29, 30, 32, 33, 34, 38)} | {("C:switch", t) for t in (29, 30, 32, 33, 34)}
DIFFERENT |= {("C:counts", 38), ("C:names", 38)}

SPECS = (
    PvSpec(
        name="C:current", kind=Kind.FLOAT, source="", description="current of the first family", unit="A", precision=4,
        drive=(0.0, 150.0), alarm=AlarmLimits(-10.0, -5.0, 5.0, 10.0), writable=True, record_type="ao",
    ),
    PvSpec(
        name="C:plain", kind=Kind.FLOAT, source="", description="no limits at all", precision=3, writable=True,
        record_type="ao",
    ),
    PvSpec(name="C:count", kind=Kind.INT, source="", description="results so far", unit="1", record_type="longin"),
    PvSpec(
        name="C:mode", kind=Kind.ENUM, source="", description="mode", states=("off", "on", "ramp"), writable=True,
        record_type="mbbo",
    ),
    PvSpec(
        name="C:switch", kind=Kind.ENUM, source="", description="switch", states=("open", "closed"), writable=True,
        record_type="bo",
    ),
    PvSpec(name="C:reason", kind=Kind.STRING, source="", description="why there is no beam", record_type="stringin"),
    PvSpec(
        name="C:orbit", kind=Kind.FLOATS, source="", description="orbit", unit="mm", precision=2, display=(-2.0, 2.0),
        length=10, record_type="waveform",
    ),
    PvSpec(name="C:counts", kind=Kind.INTS, source="", description="counts", length=5, record_type="waveform"),
    PvSpec(name="C:names", kind=Kind.STRINGS, source="", description="names", length=4, record_type="waveform"),
)  # fmt: skip
VALUES = {
    "C:current": 7.25, "C:plain": -0.12345, "C:count": -70000, "C:mode": 2, "C:switch": 1, "C:reason": "no beam",
    "C:orbit": [0.5, -1.25, 300.0], "C:counts": [1, -2, 70000], "C:names": ["a", "bc"],
}  # fmt: skip


@pytest.fixture(scope="module")
def soft_ioc() -> Iterator[RawClient]:
    ports = EpicsPorts(free_port(), free_port(), free_port())
    process = subprocess.Popen(
        [sys.executable, "-m", "epicscorelibs.ioc", "-d", str(DATABASE)],
        env=os.environ | ports.environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        client = connected(ports.ca)
        yield client
        client.close()
    finally:
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    served = Served(free_port(), specs=SPECS)
    served.publish({n: np.array(v) if n in ("C:orbit", "C:counts") else v for n, v in VALUES.items()})
    yield served
    served.stop()


@pytest.fixture(scope="module")
def sink(served: Served) -> FakeSink:
    return served.sink


@pytest.fixture(scope="module")
def ours(served: Served) -> Iterator[RawClient]:
    client = connected(served.server.port)
    yield client
    client.close()


def connected(port: int) -> RawClient:
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            return RawClient(port)
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.1)


def read(client: RawClient, name: str, data_type: int, count: int = 0) -> tuple[int, int, list[bytes]]:
    """Status, count, and all that means something but the time stamp."""
    if name not in client.sids:
        client.connect(name)
    client.send(READ, data_type, count, client.sids[name], 1)
    answer = client.wait(READ)
    if answer.first != 1:
        return answer.first, 0, [b""]
    native = data_type % 7 if data_type < 35 else 0
    start, size = HEADS.get(data_type, 0), SIZES[native]
    head = answer.payload[:start]
    if (unused := UNUSED.get(data_type)) is not None:
        head = head[: unused.start] + head[unused.stop :]
    values = [answer.payload[i : i + size] for i in range(start, start + answer.count * size, size)]
    if native == 0:
        values = [value.split(b"\0")[0] for value in values]  # behind it, too, is what was there before
    return answer.first, answer.count, [head, *values]


@pytest.mark.parametrize("name", list(VALUES))
def test_each_type_is_as_the_soft_ioc_sends_it(soft_ioc: RawClient, ours: RawClient, name: str) -> None:
    differing = {}
    for data_type in TYPES:
        if (name, data_type) in DIFFERENT:
            continue
        theirs, our = read(soft_ioc, name, data_type), read(ours, name, data_type)
        if our != theirs:
            differing[data_type] = (our, theirs)
    assert differing == {}


NUMBERS = (
    0.0, 1.0, 0.125, 0.375, 2.5, 0.5, 1.5, 1e-3, 0.05, 0.15, 0.25, 0.35, 0.45, 1.005, 2.675, 9.995, 0.9999999,
    99.99951, 499636630.2, 9999999.0, 9999999.5, 9999999.99999, 1e7, 10000000.5, 12345678.9876543, 1e8, 123456789.5,
    1e15, 9.99e15, 1e16, 1.0000001e16, 1e17, 1.5e300, 5e-324, math.pi, math.e * 1e5, 1 / 3, 2 / 3 * 1e6,
    math.inf, math.nan,
)  # fmt: skip


@pytest.mark.parametrize("precision", range(18))
def test_numbers_are_the_texts_of_the_soft_ioc(soft_ioc: RawClient, precision: int) -> None:
    random = np.random.default_rng(precision)
    drawn = (random.uniform(-1.0, 1.0, 60) * 10.0 ** random.integers(-4, 18, 60)).tolist()
    for name in ("C:text", "C:text.PREC"):
        if name not in soft_ioc.sids:
            soft_ioc.connect(name)
    soft_ioc.send(WRITE, 1, 1, soft_ioc.sids["C:text.PREC"], 1, struct.pack(">h", precision))
    assert soft_ioc.wait(WRITE).first == 1
    different = {}
    for number in (*NUMBERS, *(-n for n in NUMBERS[:-1]), *drawn):
        soft_ioc.put("C:text", number, 2)
        assert soft_ioc.wait(WRITE).first == 1
        _, _, (_, theirs) = read(soft_ioc, "C:text", 0)
        payload, _ = dbr.encode(dbr.State(number, 0, 0, 0), dbr.Facts(precision=precision), dbr.STRING, 0)
        if payload.rstrip(b"\0") != theirs:
            different[number] = (payload.rstrip(b"\0"), theirs)
    assert different == {}


FIELDS = {
    "C:current": (
        "VAL DESC EGU PREC HOPR LOPR DRVH DRVL HIHI HIGH LOW LOLO HHSV HSV LSV LLSV SEVR STAT NAME RTYP UDF ADEL MDEL"
    ),
    "C:count": "VAL DESC EGU HOPR LOPR HIHI HHSV SEVR STAT RTYP",
    "C:mode": "VAL ZRST ONST TWST THST FFST DESC",
    "C:switch": "ZNAM ONAM",
    "C:orbit": "NELM NORD FTVL EGU PREC HOPR LOPR",
    "C:reason": "VAL DESC",
}


#: Fields of every record, but for those that are of the moment, and PINI, which the database sets.
COMMON = (
    "ASG SCAN PHAS EVNT TSE TSEL DTYP DISV DISA SDIS DISP PROC AMSG NSTA NSEV NAMSG ACKT DISS LCNT PACT PUTF RPRO PRIO "
    "TPRO UDFS FLNK SIML SIOL SIMM SIMS"
)
LINKS = ("TSEL", "SDIS", "FLNK", "SIML", "SIOL", "INP", "OUT", "DOL")
FIELDS |= {record: f"{names} {COMMON}" for record, names in FIELDS.items()}
FIELDS["C:current"] += " OUT DOL OMSL HYST"
FIELDS["C:count"] += " INP HYST"


@pytest.mark.parametrize("name", [f"{record}.{field}" for record, names in FIELDS.items() for field in names.split()])
def test_each_field_reads_as_the_soft_ioc_s(soft_ioc: RawClient, ours: RawClient, name: str) -> None:
    # As text and as number, which for a link that is not set is NaN there, and 0 as for all empty texts here.
    for data_type in (0,) if name.partition(".")[2] in LINKS else (0, 6):
        assert read(ours, name, data_type) == read(soft_ioc, name, data_type)


@pytest.mark.parametrize("name", ["C:reason.VAL$", "C:current.DESC$", "C:current.NAME$"])
def test_long_texts_are_as_the_soft_ioc_s(soft_ioc: RawClient, ours: RawClient, name: str) -> None:
    data_type = 4 if "$" in name else 6
    assert read(ours, name, data_type) == read(soft_ioc, name, data_type)


@pytest.mark.parametrize("name", ["C:orbit", "C:orbit.NELM", "C:orbit.FTVL", "C:current.PREC", "C:current.UTAG"])
def test_native_types_and_counts_are_as_the_soft_ioc_s(soft_ioc: RawClient, ours: RawClient, name: str) -> None:
    assert created(ours, name) == created(soft_ioc, name)


PARTS = (
    "[3]", "[0:3]", "[5000]", "[2:]", "[:2]", "[1:2:8]", "[-3:-1]", "[-30:2]", "[3:1]", "[7:9]",
    '{"arr":{"s":1,"e":8,"i":2}}', '{"arr":{}}',
)  # fmt: skip


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", ["C:orbit.VAL", "C:current.VAL", "C:names.VAL"])
def test_parts_have_the_counts_and_values_of_the_soft_ioc(
    soft_ioc: RawClient, ours: RawClient, name: str, part: str
) -> None:
    count = created(soft_ioc, name + part)[1]
    assert created(ours, name + part)[1] == count
    for asked in {0, 1, count}:
        assert read(ours, name + part, 0, asked) == read(soft_ioc, name + part, 0, asked)


def created(client: RawClient, name: str) -> tuple[int, int]:
    """Native type and count of a channel that is made for this and ended."""
    client.send(CREATE, first=9999, second=13, payload=name.encode() + b"\0")
    answer = client.wait(CREATE)
    client.send(CLEAR, first=answer.second, second=9999)
    client.wait(CLEAR)
    return answer.data_type, answer.count


@pytest.mark.parametrize("count", [1, 2, 5, 10])
def test_a_part_or_more_than_there_is_comes_as_the_soft_ioc_s(soft_ioc: RawClient, ours: RawClient, count: int) -> None:
    assert read(ours, "C:orbit", 6, count) == read(soft_ioc, "C:orbit", 6, count)


@pytest.mark.parametrize(("data_type", "payload", "state"), [
    (0, b"on".ljust(40, b"\0"), 1), (3, b"\0\2", 2), (5, b"\0\0\0\1", 1), (6, b"\x40" + bytes(7), 2),
    (0, b"1".ljust(40, b"\0"), 1),
])  # fmt: skip
def test_states_are_put_by_name_and_number_as_to_the_soft_ioc(
    soft_ioc: RawClient, ours: RawClient, sink: FakeSink, data_type: int, payload: bytes, state: int
) -> None:
    for client in (soft_ioc, ours):
        if "C:mode" not in client.sids:
            client.connect("C:mode")
        client.send(WRITE, data_type, 1, client.sids["C:mode"], 3, payload)
        assert client.wait(WRITE).first == 1
    assert read(soft_ioc, "C:mode", 5)[2][1] == state.to_bytes(4, "big")
    assert sink.puts[-1][1] == state
