"""Clients take turns, keep their own order, and cannot have more waiting than their share."""

from concurrent.futures import Future

from gnomon.ioc.base.protocols import PutFuture
from gnomon.ioc.commands.command_queue import (
    MAX_PER_CLIENT,
    MAX_PER_TURN,
    MAX_WAITING,
    CommandQueue,
    DueCommand,
    JournalNote,
    WaitingCommand,
)
from gnomon.lattice import Client, Outcome, Setting, Settled

A, B, C = (Client(user, "console", "ca") for user in "abc")


def command(client: Client, number: int, settings: int = 1) -> WaitingCommand:
    many = tuple(Setting("", "QF", "current", float(i)) for i in range(settings))
    return WaitingCommand(many, client, number, number, "", "", PutFuture())


def taken(queue: CommandQueue) -> list[tuple[str, int]]:
    return [(item.client.user, item.wall_ns) for item in queue.take() if isinstance(item, WaitingCommand)]


def test_commands_that_fit_into_one_turn_keep_the_order_of_arrival() -> None:
    queue = CommandQueue()
    for number, client in enumerate((A, B, A, A, C, B)):
        assert queue.add(command(client, number)) == ""
    assert taken(queue) == [("a", 0), ("b", 1), ("a", 2), ("a", 3), ("c", 4), ("b", 5)]
    assert len(queue) == 0


def test_a_client_that_floods_the_queue_holds_up_nobody_else() -> None:
    queue = CommandQueue()
    for number in range(5 * MAX_PER_TURN):
        queue.add(command(A, number))
    queue.add(command(B, 10**6))
    first = taken(queue)
    assert ("b", 10**6) in first
    assert len(first) == MAX_PER_TURN


def test_the_order_of_a_clients_own_commands_never_changes() -> None:
    queue = CommandQueue()
    for number in range(3 * MAX_PER_TURN):
        queue.add(command((A, B)[number % 3 == 0], number, 1 + number % 5))
    seen: dict[str, list[int]] = {"a": [], "b": []}
    while len(queue):
        for user, number in taken(queue):
            seen[user].append(number)
    assert seen["a"] == sorted(seen["a"])
    assert seen["b"] == sorted(seen["b"])
    assert len(seen["a"]) + len(seen["b"]) == 3 * MAX_PER_TURN


def test_a_turn_has_a_bounded_number_of_settings_unless_one_command_has_more() -> None:
    queue = CommandQueue()
    for number in range(20):
        queue.add(command(A, number, MAX_PER_TURN // 4))
    assert len(taken(queue)) == 4
    queue = CommandQueue()
    queue.add(command(A, 0, 3 * MAX_PER_TURN))
    queue.add(command(B, 1))
    assert taken(queue) == [("a", 0)]
    assert taken(queue) == [("b", 1)]


def test_a_client_is_refused_at_its_limit_and_another_one_is_not() -> None:
    queue = CommandQueue()
    for number in range(MAX_PER_CLIENT):
        assert queue.add(command(A, number)) == ""
    refusal = queue.add(command(A, -1))
    assert "a@console: 20000 settings are already waiting" in refusal
    assert "then send this one again" in refusal
    assert queue.add(command(B, 0)) == ""


def test_in_a_full_queue_those_with_more_than_their_share_are_refused_and_newcomers_are_not() -> None:
    queue = CommandQueue()
    clients = [Client(f"u{i}", "console", "ca") for i in range(5)]
    for client in clients:
        for _ in range(MAX_WAITING // 1000 // 5):
            queue.add(command(client, 0, 1000))
    assert queue.add(command(clients[0], 0)) != ""
    for number in range(MAX_WAITING // 6):
        assert queue.add(command(A, number)) == ""
    assert queue.add(command(A, 0)) != ""


def test_notes_and_delayed_commands_are_never_refused_nor_put_off() -> None:
    queue = CommandQueue()
    for number in range(2 * MAX_PER_TURN):
        queue.add(command(A, number))
    note = JournalNote(Settled(1, Outcome.FAILED, "", 0))
    due = DueCommand(2, (), Outcome.APPLIED, "", Future())
    queue.add_own(note)
    queue.add_own(due)
    first = queue.take()
    assert note in first
    assert due in first
    assert len(queue.drop()) == MAX_PER_TURN
    assert len(queue) == 0


def test_a_turn_is_full_at_its_number_of_settings_and_not_before() -> None:
    queue = CommandQueue()
    queue.add(command(A, 0, MAX_PER_TURN - 1))
    queue.add(command(A, 1))
    assert taken(queue) == [("a", 0), ("a", 1)]


def test_a_single_command_is_taken_however_many_settings_it_has() -> None:
    queue = CommandQueue()
    assert queue.add(command(A, 0, MAX_PER_CLIENT + 1)) == ""
    assert queue.add(command(A, 1)) != ""


def test_settings_that_were_taken_or_dropped_do_not_count_as_waiting() -> None:
    queue = CommandQueue()
    clients = [Client(f"u{i}", "console", "ca") for i in range(10)]
    for _ in range(2):
        for client in clients:
            queue.add(command(client, 0, MAX_WAITING // 10))
        while len(queue):
            queue.take()
    for client in clients:
        queue.add(command(client, 0, MAX_WAITING // 10))
    assert len(queue.drop()) == 10
    for client in clients:
        assert queue.add(command(client, 0)) == ""
    share = MAX_PER_CLIENT - 1
    assert share > MAX_WAITING // 10, "a client of ten would not get this much if the others had not gone"
    assert queue.add(command(clients[0], 1, share)) == ""
