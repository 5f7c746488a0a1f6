"""A bank publishes what its filter makes of a publication, and asks it only while it is not idle."""

from dataclasses import replace

import numpy as np

from gnomon.ioc.outputs.bank import Bank
from gnomon.ioc.outputs.publication import Publication
from gnomon.ioc.outputs.reading_filter import Published, ReadingFilter
from unit.ioc.rig import specs


class Doubling:
    """Doubles every number."""

    def __init__(self) -> None:
        self.idle = False
        self.asked = 0

    def positions(self, count: int, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return 2.0 * x, 2.0 * y

    def publication(self, published: Published) -> Published:
        self.asked += 1
        return replace(published, values=2.0 * published.values, times={int(published.indices[0]): 7})


def test_a_bank_shows_what_the_filter_makes_of_a_publication() -> None:
    bank, doubling = Bank(specs(), 1), Doubling()
    reading_filter: ReadingFilter = doubling
    bank.disturb(reading_filter)
    index = bank.index["T:CP:rdbk"]
    for idle, shown in ((False, (2.0, 7)), (True, (1.0, 100))):
        doubling.idle = idle
        publication = Publication(bank)
        publication.put_own(index, 1.0)
        publication.send(100, 1)
        assert (bank.reading(index).value, bank.reading(index).time_ns) == shown
    assert doubling.asked == 1
