"""Notes of what faults do: the client that a replay knows, and no flood."""

from gnomon.ioc.app.fault_notes import MAX_NOTES, TIME_S, FaultNotes
from gnomon.lattice import Client


def test_a_fault_that_comes_and_goes_cannot_flood_the_journal() -> None:
    now_s, noted = 5.0, list[tuple[str, Client]]()
    notes = FaultNotes(Client("us", "here", "internal"), lambda: now_s)
    notes.add(1, "before the journal is open")
    notes.begin(lambda text, client: noted.append((text, client)))
    now_s += TIME_S
    for _ in range(MAX_NOTES + 5):
        notes.add(1, "trip")
    notes.add(2, "dump")
    assert [text for text, _ in noted] == [*["fault 1 acts: trip"] * MAX_NOTES, "fault 2 acts: dump"]
    assert {client.protocol for _, client in noted} == {"fault"}
    now_s += TIME_S
    notes.add(1, "trip")
    assert noted[-1][0] == "fault 1 acts: trip; 5 notes before it were left out"
