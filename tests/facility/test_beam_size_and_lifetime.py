"""Contract of loggers: beam sizes in mm, currents and lifetimes that belong together, the way to the next injection."""

import json
from collections.abc import Iterator
from itertools import pairwise

import pytest
from conftest import EpicsPorts, free_port

from facility.serving import Server
from gnomon.db import shipped_document
from system.twin_process import TwinProcess

SIZES = [f"{point}:rdSigma{plane}" for point in ("QPD01ZL2RP", "QPD00ZL4RP") for plane in "XY"]
TOP_UP_S, GATE_S = 3.0, 1.0


@pytest.fixture(scope="module")
def often(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """BESSY II with a top-up every three seconds."""
    folder = tmp_path_factory.mktemp("often")
    document = json.loads(shipped_document("bessy2").model_dump_json(by_alias=True))
    document["stored_beam"] |= {"top_up_s": TOP_UP_S, "gate_s": GATE_S}
    (folder / "often.json").write_text(json.dumps(document))
    ports = EpicsPorts(free_port(), free_port(), free_port())
    arguments = ("--prefix", "T:", "--machine", str(folder / "often.json"))
    with TwinProcess(ports.environment, folder, *arguments) as twin:
        yield Server(twin)


def test_beam_sizes_are_in_millimetres_and_follow_the_optics(mls: Server) -> None:
    states = ["standard user", "low alpha", "low emittance"]
    found = mls.run("beam_logging.sizes", names=SIZES, optics="MLSOPCCP:actOptRmpTblSet", states=states)
    assert {size["unit"] for row in found.values() for size in row} == {"mm"}
    user, _, small = ([size["value"] for size in found[state]] for state in states)
    assert all(0.01 < size < 1.0 for size in user)
    assert user[0] > 2.0 * user[1]
    assert user[2] > 2.0 * user[3]
    assert small[0] < 0.7 * user[0]


def test_current_and_lifetime_belong_together_and_the_current_falls(mls: Server) -> None:
    names = ["CUM1ZK3RP:measCur", "CUM1ZK3RP:rdCur", "CUM1ZK3RP:rdLt10", "CUM1ZK3RP:rdLt100", "OPCHECKCCP:calcCurrLife"]
    rows = mls.run("beam_logging.log", names=names, seconds=2.5)
    assert len(rows) >= 3
    for row in rows:
        assert row["CUM1ZK3RP:rdCur"] == row["CUM1ZK3RP:measCur"]
        product = 1e-3 * row["CUM1ZK3RP:measCur"] * row["CUM1ZK3RP:rdLt10"]
        assert row["OPCHECKCCP:calcCurrLife"] == pytest.approx(product, rel=1e-6)
    first, last = rows[1], rows[-1]
    hours = (last["time"] - first["time"]) / 3600.0
    fallen = 1.0 - last["CUM1ZK3RP:measCur"] / first["CUM1ZK3RP:measCur"]
    assert fallen == pytest.approx(hours / last["CUM1ZK3RP:rdLt10"], rel=0.02)


@pytest.mark.parametrize(
    ("ring", "counter", "array"),
    [("mls", "BPMZ1X003GP:count", "BPMZ1X003GP:rdBufBpm"), ("bessy2", "MDIZ2T5G:count", "MDIZ2T5G:bdata")],
)
def test_the_counter_counts_what_is_published(ring: str, counter: str, array: str, bessy2: Server, mls: Server) -> None:
    server = {"bessy2": bessy2, "mls": mls}[ring]
    found = server.run("beam_logging.count", counter=counter, array=array, seconds=1.6)
    assert found["counted"] >= 1
    assert abs(found["published"] - found["counted"]) <= 1  # the last one may be on its way


def test_the_countdown_leads_to_an_injection_and_the_gate_is_on_around_it(often: Server) -> None:
    names = {"countdown": "TOPUPCC:estCntDwnS", "gate_name": "TOPUPCC:stBlankout2", "current": "MDIZ3T5G:current"}
    rows = often.run("beam_logging.gate", **names, seconds=7.5)
    assert len(rows) >= 6
    injections = [i for i, (before, after) in enumerate(pairwise(rows), 1) if after[2] > before[2]]
    assert len(injections) >= 2
    for (wait, gate, current), (later, _, next_current) in pairwise(rows[injections[0] :]):
        assert 0.0 <= wait <= TOP_UP_S
        assert gate == (wait <= GATE_S or TOP_UP_S - wait < GATE_S)
        if next_current > current:
            assert wait < 1.5
        else:
            assert later == pytest.approx(wait - 1.0, abs=0.3)
