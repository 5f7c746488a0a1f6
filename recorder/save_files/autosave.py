"""Files of the autosave module (`.sav`): `PV value` lines, `#` before what was not connected, `<END>` at the end.

Format: synApps autosave documentation, "save files"; header of R5. Autosave itself restores no file without its end.
"""

from collections.abc import Iterable

from gnomon.recorder.recorder_errors import SaveFileError
from gnomon.recorder.save_files.saved import About, Saved, Value, lines_of, number_text

END = "<END>"
ARRAY = "@array@"


def is_format(text: str) -> bool:
    """True if a text is such a file."""
    first = text.partition("\n")[0]
    return first.startswith(("# autosave", "# save/restore")) or text.rstrip().endswith(END)


def parse(text: str) -> Saved:
    """Read a file. Raises SaveFileError for a file whose end is missing: it was cut short while it was written."""
    saved = Saved()
    for number, line in lines_of(text):
        if line.startswith(END):
            return saved
        if line.startswith("#"):
            name, *rest = line[1:].split(None, 1) or [""]
            if line[1:2].strip() and rest:
                saved.leave(number, name, f"was not connected: {rest[0].strip()}", missing=True)
            elif number > 1 and not saved.given and not saved.comment:
                saved.comment = line[1:].strip()
        elif line.strip() and not line.startswith("!"):
            name, *rest = line.split(None, 1)
            value = rest[0].strip() if rest else ""
            if value.startswith(ARRAY):
                saved.leave(number, name, "an array")
            else:
                saved.take(number, name, value)
    raise SaveFileError(f"the line {END} is missing: the file was cut short; take its backup (.savB)")


def render(values: Iterable[Value], about: About) -> str:
    """Make the text of a file."""
    lines = [f"# autosave R5.3\tAutomatically generated - DO NOT MODIFY - {about.local:%y%m%d-%H%M%S}"]
    if about.line:
        lines.append(f"# {about.line}")
    lines += [f"{v.pv} {number_text(v.value)}" for v in values]
    return "\n".join([*lines, END]) + "\n"
