"""Checks of what is kept: journal, document store, machine and PV documents, limits of the gate."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from gnomon.ioc.app.checkup.check_results import Finding, error, good, warning
from gnomon.lattice import GnomonError
from gnomon.recorder import JournalError, Reader

#: Difference of two clocks that says nothing [ns].
NEAR_NS = 5 * 10**9


def check_journal(path: Path, now_ns: Callable[[], int] = time.time_ns) -> Finding:
    """Check that the journal can be read, and that its last command is not of the future."""
    if not path.exists():
        return good("journal", f"{path}: made at the first start")
    try:
        with Reader(path) as reader:
            last = reader.newest(1)
    except (JournalError, OSError) as problem:
        return error("journal", str(problem), "restore it from a copy, or give another recorder.journal")
    if not last:
        return good("journal", f"{path}: no command yet")
    wall_ns = last[0].wall_ns
    if wall_ns > now_ns() + NEAR_NS:
        return warning("journal", f"{path}: its last command is of the future", "the clock went back: check it")
    return good("journal", f"{path}: {last[0].sequence} commands")


def check_store(path: Path) -> Finding:
    """Check that the document store is whole."""
    if not path.exists():
        return good("document store", f"{path}: made at the first use")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2.0)) as store:
            (told,) = store.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as problem:
        told = str(problem)
    if told == "ok":
        return good("document store", f"{path}: whole")
    return error("document store", f"{path}: {told}", "restore it from a copy, or give another store.path")


def check_document(what: str, read: Callable[[], str], advice: str) -> Finding:
    """Check that a document can be read; `read` says what it is."""
    try:
        return good(what, read())
    except GnomonError as problem:
        return error(what, str(problem), advice)
