"""Pictures of terminals: what a command shows there, as a light SVG file without anything from elsewhere."""

import io
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping
from fcntl import ioctl
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DEFAULT_TERMINAL_THEME
from rich.text import Text

from tools.tutorials.pages import Picture
from tools.tutorials.terminal import variables_of_a_picture

#: How long a program that fills the screen may take to start, and to answer a key [s].
STARTS_S, ANSWERS_S, ENDS_S = 12.0, 2.0, 30.0
#: Keys by name.
KEYS = {"up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D", "enter": "\r", "tab": "\t", "space": " "}

_FONT_FACE = re.compile(r"\s*@font-face \{.*?\}\n", re.DOTALL)


def draw(picture: Picture, environment: Mapping[str, str], folder: Path, as_shown: Callable[[str], str]) -> str:
    """Run the command in `folder` and draw what it shows: all of it, or the screen of a program that fills one.

    `as_shown` puts the usual ports and home into a text, before it is laid out.
    """
    variables = variables_of_a_picture(environment, picture.columns, picture.rows)
    if fills_the_screen(picture):
        return without_fonts(_screen(picture, variables, folder))
    done = subprocess.run(
        ["bash", "-c", picture.text],
        env=variables,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=ENDS_S * 4,
        check=False,
    )
    return without_fonts(_drawn(as_shown(done.stdout.decode()), picture))


def fills_the_screen(picture: Picture) -> bool:
    """Return True if the command runs until a key ends it; then textual draws its screen."""
    return picture.text.startswith("gnomon watch")


def without_fonts(svg: str) -> str:
    """Leave out the fonts that would be fetched from elsewhere: a reader's own monospaced font does."""
    return _FONT_FACE.sub("", svg)


def _drawn(text: str, picture: Picture) -> str:
    console = Console(
        record=True, width=picture.columns, file=io.StringIO(), color_system="truecolor", force_terminal=True
    )
    console.print(Text.from_ansi(f"$ {picture.text}\n{text.rstrip()}"), overflow="fold")
    name = picture.file.stem.replace("_", "-")
    return console.export_svg(title=picture.text, theme=DEFAULT_TERMINAL_THEME, unique_id=f"terminal-{name}")


def _screen(picture: Picture, variables: Mapping[str, str], folder: Path) -> str:
    """Run a program of textual in a terminal of its own, press the keys, and take the picture that textual makes."""
    made = folder / "screen.svg"
    made.unlink(missing_ok=True)
    delay = STARTS_S + ANSWERS_S * (len(picture.keys) + 1)
    wanted = {
        "TEXTUAL_SCREENSHOT": str(round(delay)),
        "TEXTUAL_SCREENSHOT_LOCATION": str(folder),
        "TEXTUAL_SCREENSHOT_FILENAME": made.name,
    }
    master, slave = pty.openpty()
    ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", picture.rows, picture.columns, 0, 0))
    process = subprocess.Popen(
        ["bash", "-c", f"exec {picture.text}"],
        env={**variables, **wanted},
        cwd=folder,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    started = time.monotonic()
    pressed = 0
    try:
        while not made.exists() and process.poll() is None and time.monotonic() - started < delay + ENDS_S:
            if select.select([master], [], [], 0.1)[0]:
                os.read(master, 65536)
            if pressed < len(picture.keys) and time.monotonic() - started > STARTS_S + ANSWERS_S * pressed:
                key = picture.keys[pressed]
                os.write(master, KEYS.get(key, key).encode())
                pressed += 1
        if not made.exists():
            raise RuntimeError(f"{picture.text}: no picture after {delay + ENDS_S:g} s; status {process.poll()}")
        time.sleep(0.5)
        return made.read_text(encoding="utf-8")
    finally:
        process.kill()
        process.wait()
        os.close(master)
        made.unlink(missing_ok=True)
