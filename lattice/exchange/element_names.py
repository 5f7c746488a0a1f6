"""Names for the elements of an imported ring: as they were where that is possible, unique, and valid here."""

import re
from collections import Counter
from collections.abc import Sequence

#: Room that a name leaves for what device names add.
MAX_LENGTH = 48


def unique_names(names: Sequence[str]) -> list[str]:
    """Valid and unique names in the order of `names`; those that stand for several elements are numbered from 1."""
    valid = [_valid(name) for name in names]
    counts = Counter(valid)
    numbers: Counter[str] = Counter()
    taken = {name for name, count in counts.items() if count == 1}
    made = []
    for name in valid:
        if counts[name] == 1:
            made.append(name)
            continue
        width = len(str(counts[name]))
        new = name
        while new in taken or new == name:
            numbers[name] += 1
            new = f"{name}_{numbers[name]:0{width}}"
        taken.add(new)
        made.append(new)
    return made


def _valid(name: str) -> str:
    name = re.sub(r"[^A-Za-z0-9_.:-]", "_", name.strip())
    return (name if name[:1].isalpha() else f"E{name}")[:MAX_LENGTH]
