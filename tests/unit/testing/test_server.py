"""The server's process as the tests see it, with a program in its place that answers as it is told."""

import sys
from pathlib import Path

import pytest

from gnomon.testing import server as module
from gnomon.testing.ports import Ports
from gnomon.testing.server import RingServer, ServerError

#: Answers each request with what its machine's name says, and writes its requests down.
PROGRAM = """
import json, sys, time
folder = sys.argv[1]
for number, line in enumerate(sys.stdin):
    request = json.loads(line)
    word = request["changes"]["word"]
    print("asked for", word, file=sys.stderr, flush=True)
    if word == "die" or (word == "die later" and number):
        sys.exit(1)
    if word == "hang later" and number:
        time.sleep(60)
    if word == "compile":
        print(json.dumps({"compiling": True}), flush=True)
    answer = {"error": "no such machine"} if word == "refuse" else {"journal": f"{folder}/{number}.journal"}
    print(json.dumps(answer), flush=True)
"""


def request(word: str, prefix: str = "T:") -> dict[str, object]:
    return {"file": None, "changes": {"word": word, "prefix": prefix}}


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def server(said: list[str]) -> "object":
    served = RingServer(Ports(1, 2, 3), said.append, [sys.executable, "-c", PROGRAM])
    yield served
    served.stop()


def test_a_ring_of_the_same_pvs_is_renewed_and_one_of_others_needs_another_process(server: RingServer) -> None:
    assert server.fresh(request("serve")) is False
    assert server.journal.name == "0.journal"
    assert server.fresh(request("serve")) is True
    assert server.journal.name == "1.journal"
    assert server.fresh(request("serve", prefix="OTHER:")) is False
    assert server.journal.name == "0.journal"


@pytest.mark.parametrize("word", ["die later", "hang later"])
def test_a_server_that_a_test_has_broken_is_replaced(
    server: RingServer, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RENEW_S", 0.2)
    monkeypatch.setattr(module, "END_S", 0.2)
    server.fresh(request(word))
    assert server.fresh(request(word)) is False
    assert server.running


def test_a_process_that_was_started_before_serves_the_first_ring(server: RingServer) -> None:
    server.start()
    assert server.running
    folder = server.fresh(request("serve")) or server.journal.parent
    assert isinstance(folder, Path)
    assert "asked for serve" in server.log()


def test_the_reason_of_a_refusal_and_the_last_words_of_a_server_are_told_and_nothing_is_left(
    server: RingServer,
) -> None:
    with pytest.raises(ServerError, match="no such machine"):
        server.fresh(request("refuse"))
    assert not server.running
    with pytest.raises(ServerError, match=r"(?s)it has ended.*asked for die"):
        server.fresh(request("die"))
    assert not server.running


def test_the_user_is_told_that_kernels_are_compiled(server: RingServer, said: list[str]) -> None:
    server.fresh(request("compile"))
    assert [text.startswith("gnomon: compiling kernels") for text in said] == [True]


def test_the_log_of_a_test_begins_where_the_test_begins(server: RingServer) -> None:
    server.fresh(request("first"))
    begin = server.log_size
    server.fresh(request("second"))
    assert "first" not in server.log(begin)
    assert "second" in server.log(begin)


def test_process_and_files_are_gone_at_the_end(server: RingServer) -> None:
    server.fresh(request("serve"))
    folder = server.journal.parent
    assert folder.is_dir()
    server.stop()
    assert not server.running
    assert not folder.exists()
    assert server.log() == ""
    server.stop()  # a second time is no harm
