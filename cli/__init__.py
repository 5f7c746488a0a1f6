"""The command line. A command's modules are imported when it runs: replay, for one, never loads fault injection.

This module itself imports next to nothing, so that an interrupt (Ctrl-C) finds `main` ready to end quietly.
"""

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gnomon.cli.command_list import COMMANDS, app

__all__ = ["COMMANDS", "app", "main"]

#: Exit code of a command that an interrupt ended, as shells have it.
INTERRUPTED = 130


def __getattr__(name: str) -> Any:
    if name in ("COMMANDS", "app"):
        from gnomon.cli import command_list

        return getattr(command_list, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def main() -> None:
    """Run the command line; an error that the user can act on is printed as text, without a traceback."""
    before = _end_at_an_interrupt()
    from gnomon.cli.connection import end_connections_with_process, end_process
    from gnomon.cli.light_imports import import_numba_without_extensions, import_p4p_without_setuptools

    end_connections_with_process()
    import_p4p_without_setuptools()
    import_numba_without_extensions()
    _take_any_character()
    app = sys.modules[__name__].app
    try:
        if before is not None:
            signal.signal(signal.SIGINT, before)
        app()
    except SystemExit as end:
        end_process(end.code)
    except KeyboardInterrupt:
        end_process(INTERRUPTED)
    except Exception as error:
        if not _explained(error):
            raise
        end_process(getattr(error, "exit_code", 1))


def _end_at_an_interrupt() -> Any:
    """Have an interrupt end the process at once, while nothing is open yet; returns the handler to set again."""
    if threading.current_thread() is not threading.main_thread():
        return None
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:  # ignored, as in the background of a script
        return None
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    return before


def _take_any_character() -> None:
    """Have characters that the output's encoding lacks, as with LANG=C on a remote shell, written as escapes."""
    import io

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _explained(error: Exception) -> bool:
    """Print an error that the user can act on, and say whether it was one."""
    from gnomon.cli.output import print_error
    from gnomon.lattice import GnomonError

    known = isinstance(error, GnomonError | OSError)
    if known:
        print_error(error)
    return known
