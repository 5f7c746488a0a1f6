"""The fuzz test in small: ten thousand cases against a real server. `make fuzz` sends a million."""

from pathlib import Path

import pytest
from conftest import EpicsPorts

from fuzz.campaign import run
from fuzz.cases import Corpus, Road, make, messages

pytestmark = pytest.mark.slow  # servers and commands started one by one

SEED, CASES = 1, 10_000


@pytest.mark.slow(60)
@pytest.mark.timeout(1200)
def test_ten_thousand_broken_conversations_leave_the_server_alive_quiet_and_quick(
    epics_ports: EpicsPorts, tmp_path: Path
) -> None:
    corpus = Corpus()
    verdict = run((make(SEED, number, corpus) for number in range(CASES)), epics_ports, tmp_path)
    print(verdict)
    assert verdict.faults() == []
    assert verdict.cases == CASES


def test_a_case_is_the_same_whenever_it_is_asked_for() -> None:
    corpus = Corpus()
    assert [make(7, n, corpus) for n in range(300)] == [make(7, n, Corpus()) for n in range(300)]
    assert make(7, 0, corpus) != make(8, 0, corpus)


def test_cases_go_all_roads_and_are_mostly_different() -> None:
    cases = [make(SEED, number, Corpus()) for number in range(2_000)]
    assert {case.road for case in cases} == set(Road)
    assert len({case.steps for case in cases}) > 1_500


def test_a_kept_conversation_is_cut_into_its_messages_and_nothing_is_lost() -> None:
    for file in sorted((Path(__file__).parent / "corpus").glob("*.bin")):
        stream = file.read_bytes()
        road = next(road for road in Road if file.name.startswith(road.value))
        pieces = messages(road, stream)
        assert b"".join(pieces) == stream
        assert len(pieces) > 1 or road in (Road.CA_UDP, Road.PVA_UDP) or "found" in file.name
