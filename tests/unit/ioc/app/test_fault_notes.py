"""Notes of what faults do: the client that a replay knows, beginnings and ends, and no flood."""

from gnomon.fault_injection import Active, Fault
from gnomon.ioc.app.fault_notes import MAX_NOTES, TIME_S, FaultNotes
from gnomon.lattice import Client

DUMP = {"kind": "beam_dump"}


def fault(number: int) -> Fault:
    return Fault(Fault.from_request(DUMP).request, id=number, created_by="op@console")


class Noted:
    """Notes with a clock that the test moves, and what they have written."""

    def __init__(self) -> None:
        self.now_s = 5.0
        self.texts: list[str] = []
        self.clients: set[Client] = set()
        self.notes = FaultNotes(lambda: self.now_s)

    def begin(self) -> None:
        self.notes.begin(self._note)

    def _note(self, text: str, client: Client) -> None:
        self.texts.append(text)
        self.clients.add(client)


def test_a_fault_that_comes_and_goes_cannot_flood_the_journal() -> None:
    noted = Noted()
    noted.notes.add(fault(1), "before the journal is open")
    noted.begin()
    noted.now_s += TIME_S
    for _ in range(MAX_NOTES + 5):
        noted.notes.add(fault(1), "acts: trip")
    noted.notes.add(fault(2), "acts: dump")
    assert noted.texts == [*["fault 1 acts: trip"] * MAX_NOTES, "fault 2 acts: dump"]
    assert noted.clients == {Client("op", "console", "fault")}
    noted.now_s += TIME_S
    noted.notes.add(fault(1), "acts: trip")
    assert noted.texts[-1] == "fault 1 acts: trip; 5 notes before it were left out"


def test_the_end_of_each_occasion_is_noted_once() -> None:
    noted = Noted()
    noted.begin()
    for acting in ([1], [1, 2], [2], [2], []):
        noted.notes.occasions("beam", [Active(fault(number), 0.0, 1) for number in acting])
    assert noted.texts == ["fault 1 is over", "fault 2 is over"]
    noted.notes.occasions("beam", [Active(fault(3), 0.0, 1)])
    noted.notes.occasions("supplies", [])
    noted.notes.occasions("beam", [Active(fault(3), 0.0, 2)])
    assert noted.texts[2:] == ["fault 3 is over"]
