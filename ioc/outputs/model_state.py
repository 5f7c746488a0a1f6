"""State of the model as the outputs show it: its present beam, the reference orbit, how long its results took."""

from dataclasses import replace

from gnomon.ioc.base.recent_times import RecentTimes
from gnomon.ioc.outputs.readings import Instruments, Readings
from gnomon.ioc.outputs.reference_orbit import ReferenceOrbit
from gnomon.propagator import Answer


class ModelState:
    """State of the beam for commands, the shadow and the status; outputs are written from it and never read back.

    `readings` is None while there is no beam; `reference` is the orbit that it is compared with; `times` are those that
    the last results took; `instruments` read the beam, ideally without any.
    """

    def __init__(self, monitors: int) -> None:
        self.readings: Readings | None = None
        self.reference = ReferenceOrbit.zero(monitors)
        self.times = RecentTimes()
        self.instruments: Instruments | None = None
        self._count = 0

    def take(self, answer: Answer) -> Readings | None:
        """Take an answer of the model, and read its beam if it found one."""
        if answer.seconds > 0.0:
            self.times.add(answer.seconds)
        if answer.beam is None or not answer.beam.found:
            self.readings = None
        else:
            self._count += 1
            self.readings = Readings(
                answer.lattice, answer.beam, self._count, self.reference, instruments=self.instruments
            )
        return self.readings

    def read_again(self) -> Readings | None:
        """Read the present beam once more, if there is one."""
        if self.readings is not None:
            self._count += 1
            self.readings = self.readings.again(self._count)
        return self.readings

    def compare_with(self, reference: ReferenceOrbit) -> Readings | None:
        """Compare the beam with another reference from now on; returns the readings that follow, if there is a beam."""
        self.reference = reference
        if self.readings is not None:
            self.readings = replace(self.readings, reference=reference)
        return self.readings
