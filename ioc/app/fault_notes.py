"""Notes in the journal of what faults have done by themselves, without any command."""

import time
from collections.abc import Callable, Iterable

from gnomon.fault_injection import Active, Fault
from gnomon.lattice import Client
from gnomon.recorder import BY_FAULT

#: Number of notes of one fault in a time [s]: a condition that comes and goes must not fill the disk.
MAX_NOTES, TIME_S = 10, 10.0

#: Faults whose notes are counted; before one more, those without a recent note are forgotten.
MAX_COUNTED = 1000

#: Records a text as an act of a client.
Note = Callable[[str, Client], object]


class FaultNotes:
    """Writer of such notes, a limited number for each fault; the next one tells how many were left out.

    They are acts of the client that added the fault, with the protocol by which a replay knows what faults have done.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._note: Note | None = None
        self._counts: dict[int, tuple[float, int]] = {}
        self._acting: dict[str, dict[int, Active]] = {}

    def begin(self, note: Note) -> None:
        """Write with this from now on; what comes before is not written."""
        self._note = note

    def occasions(self, group: str, acting: Iterable[Active]) -> None:
        """Note that occasions of the faults of a group are over, now that these act."""
        now = {active.fault.id: active for active in acting}
        for number, active in self._acting.get(group, {}).items():
            if number not in now or now[number].times != active.times:
                self.add(active.fault, "is over")
        self._acting[group] = now

    def add(self, fault: Fault, text: str) -> None:
        """Note what a fault has done."""
        now_s = self._clock_s()
        began_s, count = self._counts.get(fault.id, (now_s, 0))
        left_out = max(count - MAX_NOTES, 0)
        if now_s >= began_s + TIME_S:
            began_s, count = now_s, 0
        if len(self._counts) >= MAX_COUNTED:
            self._counts = {n: each for n, each in self._counts.items() if now_s < each[0] + TIME_S}
        self._counts[fault.id] = (began_s, count + 1)
        if self._note is None or count >= MAX_NOTES:
            return
        more = f"; {left_out} notes before it were left out" if left_out and not count else ""
        user, _, host = fault.created_by.rpartition("@")
        self._note(f"fault {fault.id} {text}{more}", Client(user, host, BY_FAULT))
