"""`gnomon watch` in a terminal, against a whole server."""

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import termios
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from conftest import EpicsPorts, free_port

from system.twin_process import GNOMON, TwinProcess

WAIT_S = 60.0


class Terminal:
    """A program in a terminal of 80 x 24; `text` is all that it has drawn since it was looked at last."""

    def __init__(self, environment: dict[str, str], *arguments: str) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.process = subprocess.Popen(
            [*GNOMON, *arguments], env=environment | {"TERM": "xterm-256color"}, stdin=slave, stdout=slave, stderr=slave
        )
        os.close(slave)
        self.text = b""

    def wait_for(self, text: str) -> None:
        """Read until a text has been drawn."""
        end = time.monotonic() + WAIT_S
        while text.encode() not in self.text:
            assert time.monotonic() < end, self.text.decode(errors="replace")[-4000:]
            if select.select([self._master], [], [], 0.2)[0]:
                self.text += os.read(self._master, 65536)
        self.text = b""

    def send(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def end(self) -> int:
        """Wait for the end, reading what is still drawn; the exit status."""
        with suppress(OSError):  # a terminal that nobody has open any more
            while self.process.poll() is None and select.select([self._master], [], [], WAIT_S)[0]:
                os.read(self._master, 65536)
        return self.process.wait(WAIT_S)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)


def test_a_supply_is_stepped_and_undone_in_a_terminal_and_a_lost_server_is_shown(tmp_path: Path) -> None:
    ports = EpicsPorts(ca=free_port(), pva_tcp=free_port(), pva_udp=free_port())
    with (
        TwinProcess(ports.environment, tmp_path, "--machine", "mls") as twin,
        Terminal(twin.environment, "watch") as terminal,
    ):
        terminal.wait_for("beam found")
        terminal.send("/")
        terminal.wait_for("a pattern")
        terminal.send("s1*\r")
        terminal.wait_for("step ")
        terminal.send("+")
        terminal.wait_for(" -> ")
        step = last_command(twin)
        assert step["outcome"] == "applied"
        terminal.send("u")
        terminal.wait_for("undone: ")
        (made,), (undone,) = step["changes"], last_command(twin)["changes"]
        assert (undone["pv"], undone["old"], undone["new"]) == (made["pv"], made["new"], made["old"])
        twin.stop()
        terminal.wait_for("LOST")
        terminal.send("q")
        assert terminal.end() == 0


def last_command(twin: TwinProcess) -> dict[str, Any]:
    (told,) = json.loads(twin.gnomon("status", "--json").stdout)["servers"]
    return told["commands"][-1]
