"""Values of PVs as text for people: numbers, states, shortened waveforms, tables."""

import math
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from gnomon.clients.reading import Reading
from gnomon.lattice.text import printable

#: Number of values at each end of a waveform, and of rows at each end of a table, that are shown.
ENDS = 3


def value_text(value: Any, *, everything: bool = False) -> str:
    """Format a value in one line: a waveform by its first and last values, minimum, maximum and rms."""
    if isinstance(value, str):
        return printable(value) if value else "''"
    if isinstance(value, float):
        return f"{value:.9g}"
    if isinstance(value, dict):
        length = max((len(column) for column in value.values()), default=0)
        return f"table of {length} rows: {', '.join(map(printable, value))}"
    if isinstance(value, Sequence) or hasattr(value, "tolist"):
        return _waveform(value.tolist() if hasattr(value, "tolist") else list(value), everything)
    return printable(str(value))


def difference_text(old: Any, new: Any) -> tuple[str, str]:
    """Format two values with as many digits as tell them apart, nine at least."""
    texts = value_text(old), value_text(new)
    if texts[0] == texts[1] and isinstance(old, float) and isinstance(new, float) and old != new:
        return repr(old), repr(new)
    return texts


def alarm_text(reading: Reading) -> str:
    """Name severity and alarm; empty if all is well."""
    if not reading.severity:
        return ""
    return f"{reading.severity_name} {printable(reading.alarm)}".strip()


def table_lines(columns: dict[str, Any], *, everything: bool = False) -> list[str]:
    """Align a table's rows: the first and the last ones, unless everything is wanted."""
    from gnomon.cli.output import aligned_lines, cell_text

    lists = [column.tolist() if hasattr(column, "tolist") else list(column) for column in columns.values()]
    rows = [[cell_text(cell) for cell in row] for row in zip_longest(*lists)]
    hidden = len(rows) - 2 * ENDS
    if hidden > 1 and not everything:
        rows = [*rows[:ENDS], ["..."] * len(columns), *rows[-ENDS:]]
    numbers = [bool(column) and isinstance(column[0], int | float) for column in lists]
    return ["    " + line for line in aligned_lines([list(map(printable, columns)), *rows], numbers)]


def _waveform(values: list[Any], everything: bool) -> str:
    texts = [printable(each) if isinstance(each, str) else f"{each:.6g}" for each in values]
    if everything:
        return " ".join(texts)
    shown = texts if len(texts) <= 2 * ENDS + 1 else [*texts[:ENDS], "...", *texts[-ENDS:]]
    about = f"{len(values)} values"
    numbers = [float(each) for each in values if isinstance(each, int | float) and each == each]
    if len(numbers) > 1:
        rms = math.hypot(*numbers) / math.sqrt(len(numbers))
        about += f", min {min(numbers):.6g}, max {max(numbers):.6g}, rms {rms:.6g}"
    return f"{' '.join(shown)}  ({about})".lstrip()
