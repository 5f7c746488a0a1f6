"""An interrupt (Ctrl-C) ends a command quietly with exit code 130, also while it is still being loaded."""

import os
import signal
import subprocess
import sys

import pytest

from gnomon import cli

#: Run `gnomon` and interrupt it when it begins to import a module.
INTERRUPT_AT = """
import os, signal, sys
from gnomon.cli import main
module, sys.argv = sys.argv[1], ["gnomon", *sys.argv[2:]]
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
main()
"""


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("gnomon.cli.connection", ("--help",)),
        ("typer", ("--help",)),
        ("gnomon.cli.lazy", ("--help",)),
        ("gnomon.cli.command_list", ("get", "X")),
        ("gnomon.cli.get", ("get", "X")),
        ("pydantic", ("config", "path")),
        ("yaml", ("config", "show")),
    ],
)
def test_an_interrupt_while_modules_are_imported_is_quiet(module: str, arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPT_AT, module, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_the_entry_point_is_imported_without_what_takes_time() -> None:
    code = "import sys, gnomon.cli; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert {"typer", "rich", "numpy", "pydantic", "yaml", "p4p"} & set(out.split()) == set()


def test_an_interrupt_that_the_shell_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert cli._end_at_an_interrupt() is None
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
