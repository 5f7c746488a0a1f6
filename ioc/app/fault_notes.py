"""Notes in the journal of what faults have done by themselves, without any command."""

import time
from collections.abc import Callable

from gnomon.ioc.commands.injected_effects import BY_FAULT
from gnomon.lattice import Client

#: Number of notes of one fault in a time [s]: a condition that comes and goes must not fill the disk.
MAX_NOTES, TIME_S = 10, 10.0

#: Records a text as an act of a client.
Note = Callable[[str, Client], object]


class FaultNotes:
    """Writer of such notes, a limited number for each fault; the next one tells how many were left out."""

    def __init__(self, client: Client, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._client = Client(client.user, client.host, BY_FAULT)
        self._clock_s = clock_s
        self._note: Note | None = None
        self._counts: dict[int, tuple[float, int]] = {}

    def begin(self, note: Note) -> None:
        """Write with this from now on; what comes before is not written."""
        self._note = note

    def add(self, fault_id: int, text: str) -> None:
        """Note what a fault has done."""
        now_s = self._clock_s()
        began_s, count = self._counts.get(fault_id, (now_s, 0))
        left_out = max(count - MAX_NOTES, 0)
        if now_s >= began_s + TIME_S:
            began_s, count = now_s, 0
        self._counts[fault_id] = (began_s, count + 1)
        if self._note is None or count >= MAX_NOTES:
            return
        more = f"; {left_out} notes before it were left out" if left_out and not count else ""
        self._note(f"fault {fault_id} acts: {text}{more}", self._client)
