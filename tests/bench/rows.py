"""The lines of the table: which job's numbers, in which unit, and what is required of gnomon."""

from dataclasses import dataclass

from results import Result, percentile

START_LIMIT_MS, PUT_LIMIT_MS = 2000.0, 20.0
ENOUGH_FOR_PERCENTILES = 100


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a job's times, or one of its numbers, for each server that has it."""

    label: str
    job: str
    name: str
    unit: str = "ms"  # "s", "ms": times; anything else: a number
    digits: int = 2
    limit_ms: float | None = None

    def value(self, result: Result) -> float | None:
        if self.unit not in ("s", "ms"):
            return result.number(self.job, self.name)
        times = result.times(self.job, self.name)
        if not times:
            return None
        return percentile(times, 50) / (1e3 if self.unit == "s" else 1.0)

    def cell(self, result: Result) -> str:
        """The median, with p90 and p99 where there are samples enough to speak of them."""
        value = self.value(result)
        if value is None:
            return "failed" if self.job in result.failures else "-"
        text = f"{value:.{self.digits}f}"
        times = result.times(self.job, self.name) if self.unit == "ms" else []
        if len(times) >= ENOUGH_FOR_PERCENTILES:
            text += f" ({percentile(times, 90):.{self.digits}f}, {percentile(times, 99):.{self.digits}f})"
        return text

    def within_limit(self, result: Result) -> bool | None:
        times = result.times(self.job, self.name)
        return None if self.limit_ms is None or not times else percentile(times, 50) < self.limit_ms


ROWS = (
    Row("start to first answer over CA", "start", "first_answer", "s", limit_ms=START_LIMIT_MS),
    Row("CA put of a steerer with wait", "steerer, wait (ca)", "put", limit_ms=PUT_LIMIT_MS),
    Row("... readings that were old after it", "steerer, wait (ca)", "stale", "readings", 0),
    Row("... of so many puts", "steerer, wait (ca)", "puts", "puts", 0),
    Row("... and reading in hand", "steerer, wait (ca)", "put_read"),
    Row("... by a client that monitors the orbit", "steerer, wait, watching (ca)", "put", limit_ms=PUT_LIMIT_MS),
    Row("PVA put of a steerer with wait", "steerer, wait (pva)", "put", limit_ms=PUT_LIMIT_MS),
    Row("... readings that were old after it", "steerer, wait (pva)", "stale", "readings", 0),
    Row("... and reading in hand", "steerer, wait (pva)", "put_read"),
    Row("CA put of a supply of 16 quadrupoles with wait", "supply, wait (ca)", "put", limit_ms=PUT_LIMIT_MS),
    Row("steerer put to orbit event", "steerer to orbit", "seen", limit_ms=PUT_LIMIT_MS),
    Row("supply put to tune event", "supply to tune", "seen", limit_ms=PUT_LIMIT_MS),
    Row("20 puts/s: orbits seen", "stream 20/s", "updates_per_s", "1/s", 1),
    Row("... results computed", "stream 20/s", "results_per_s", "1/s", 1),
    Row("... last put to its orbit", "stream 20/s", "final"),
    Row("1000 puts/s: orbits seen", "stream 1000/s", "updates_per_s", "1/s", 1),
    Row("... results computed", "stream 1000/s", "results_per_s", "1/s", 1),
    Row("... puts really sent", "stream 1000/s", "rate", "1/s", 0),
    Row("... last put to its orbit", "stream 1000/s", "final"),
    Row("... the last one won", "stream 1000/s", "last_wins", "yes=1", 0),
)

# Jobs of which dt4acc's time is divided by gnomon's.
RATIOS = {
    "start to first answer": ("start", "first_answer"),
    "steerer put to orbit": ("steerer to orbit", "seen"),
    "supply put to tune": ("supply to tune", "seen"),
}
