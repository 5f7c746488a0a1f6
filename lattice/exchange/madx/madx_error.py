"""Error that stops the reading of a MAD-X file: the file, the line, the construct and what to do."""

from gnomon.lattice.exchange.findings import ExchangeError


class MadxError(ExchangeError):
    """A construct at a place of a file that cannot be read as MAD-X reads it."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place}: {problem}")
        self.place = place
        self.problem = problem
