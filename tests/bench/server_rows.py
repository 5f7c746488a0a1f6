"""The table of gnomon next to other servers: which numbers are compared, and what is required of the ratio."""

from dataclasses import dataclass

Medians = dict[str, dict[str, float]]  # server -> number -> median over the runs


@dataclass(frozen=True, slots=True)
class Row:
    """One line: a number of a group of runs, gnomon's in multiples of the other server's; less is better."""

    label: str
    group: str
    number: str
    against: str
    need: float
    stretch: float
    unit: str = "ms"
    digits: int = 2

    def ratio(self, groups: dict[str, Medians]) -> float | None:
        """None when one of the two could not be measured."""
        ours, theirs = self._numbers(groups)
        return None if ours is None or not theirs else ours / theirs

    def cells(self, groups: dict[str, Medians]) -> list[str]:
        ours, theirs = self._numbers(groups)
        shown = ["-" if n is None else f"{n:.{self.digits}f} {self.unit}" for n in (ours, theirs)]
        ratio = self.ratio(groups)
        found = "-" if ratio is None else f"**{self._times(ratio)}**"
        met = "" if ratio is None or ratio <= self.need else " **not met**"
        reached = ", met" if ratio is not None and ratio <= self.stretch else ""
        limits = (self._times(self.need) + met, self._times(self.stretch) + reached)
        return [self.label, self.against, *shown, found, *limits]

    def _times(self, ratio: float) -> str:
        """Format a ratio, as a fraction where fractions are asked for."""
        return f"1/{1 / ratio:.0f}" if self.need < 0.1 else f"{ratio:.2g}x"

    def _numbers(self, groups: dict[str, Medians]) -> tuple[float | None, float | None]:
        group = groups.get(self.group, {})
        return group.get("gnomon", {}).get(self.number), group.get(self.against, {}).get(self.number)


HEADER = ["work", "against", "gnomon", "the other", "ratio", "at most", "stretch"]

FAN, CPU = "fan_out_ms.median", "cpu_s_per_100k"

ROWS = (
    Row("put to the last of 1000 outputs, 1 client (CA)", "CA, 1 client", FAN, "C soft IOC", 1.2, 0.6),
    Row("the same, 5 clients", "CA, 5 clients", FAN, "C soft IOC", 0.5, 0.15),
    Row("server CPU for 100 000 updates, 1 client", "CA, 1 client", CPU, "C soft IOC", 0.7, 0.35, "s", 3),
    Row("the same, 5 clients", "CA, 5 clients", CPU, "C soft IOC", 0.7, 0.35, "s", 3),
    Row("put to the last of 1000 outputs, 1 client (PVA)", "PVA, 1 client", FAN, "QSRV2", 1.1, 0.9),
    Row("the same, 5 clients", "PVA, 5 clients", FAN, "QSRV2", 0.8, 0.5),
    Row("put with callback, plain setpoint (CA)", "put", "put_ms.median", "pythonSoftIOC", 1.5, 1.0),
    Row("connect 10 000 PVs (CA)", "10 000 PVs", "connect_s", "C soft IOC", 20.0, 10.0, "s"),
    Row("start with 10 000 PVs, both protocols", "10 000 PVs", "startup_s", "C soft IOC", 1.0, 0.7, "s"),
    Row("memory, 10 000 PVs connected", "10 000 PVs", "rss_connected_mb", "pythonSoftIOC", 0.8, 0.5, "MB", 0),
    Row("BESSY II, put to the last of all monitors", "whole road", FAN, "dt4acc", 1 / 60, 1 / 200),
)
