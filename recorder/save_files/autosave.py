"""Files of the autosave module (`.sav`): `PV value` lines, `#` before what was not connected, `<END>` at the end.

Format: synApps autosave documentation, "save files"; header of R5. Autosave itself restores no file without its end.
"""

from collections.abc import Iterable

from gnomon.recorder.errors import SaveFileError
from gnomon.recorder.save_files.saved import About, Saved, Value, spelled

END = "<END>"
ARRAY = "@array@"


def looks_so(text: str) -> bool:
    """Whether a text is such a file."""
    first = text.partition("\n")[0]
    return first.startswith(("# autosave", "# save/restore")) or text.rstrip().endswith(END)


def parse(text: str) -> Saved:
    """Read. Raises SaveFileError for a file whose end is missing: it was cut short while it was written."""
    saved = Saved()
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        if line.startswith(END):
            return saved
        if line.startswith("#"):
            name, _, rest = line[1:].strip().partition(" ")
            if line[1:2].strip() and rest:
                saved.left_out[name] = f"was not connected: {rest.strip()}"
            elif number > 1 and not saved.values and not saved.comment:
                saved.comment = line[1:].strip()
        elif line.strip() and not line.startswith("!"):
            name, _, value = line.strip().partition(" ")
            value = value.strip()
            if value.startswith(ARRAY):
                saved.left_out[name] = "an array"
            elif name in saved.values and saved.values[name] != value:
                raise SaveFileError(f"line {number}: {name} is given twice, as {saved.values[name]} and as {value}")
            else:
                saved.values[name] = value
    raise SaveFileError(f"the line {END} is missing: the file was cut short; take its backup (.savB)")


def render(values: Iterable[Value], about: About) -> str:
    """Write."""
    lines = [f"# autosave R5.3\tAutomatically generated - DO NOT MODIFY - {about.local:%y%m%d-%H%M%S}"]
    if about.line:
        lines.append(f"# {about.line}")
    lines += [f"{v.pv} {spelled(v.value)}" for v in values]
    return "\n".join([*lines, END]) + "\n"
