"""The journal's tables, and functions to open a database file with them.

SQLite turns NaN into NULL, so NaN is stored as the text 'nan' in a REAL column; NULL means that there is no value
(nothing done yet, or a value that is not a number at all). Infinities are stored as they are.
"""

import json
import math
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from gnomon.recorder.recorder_errors import JournalError

#: `PRAGMA user_version` of the tables below; a change of them raises it.
VERSION = 1

#: "gnmn": marks a database file as a journal.
APPLICATION_ID = 0x676E6D6E

_CHANGE = """
    position INTEGER NOT NULL,
    pv TEXT NOT NULL,
    device TEXT NOT NULL,
    property TEXT NOT NULL,
    unit TEXT NOT NULL,
    old REAL,
    new REAL,
    done REAL,
    setting TEXT NOT NULL,
    setting_old REAL,
    setting_done REAL,
    physics_old TEXT NOT NULL,
    physics_new TEXT NOT NULL,
"""

#: `change` holds the requests of a command, `effect` the changes by an outcome; `outcome.id` is the order of acting.
TABLES = f"""
CREATE TABLE run (
    run INTEGER PRIMARY KEY,
    boot_id TEXT NOT NULL,
    machine TEXT NOT NULL,
    digest TEXT NOT NULL,
    prefix TEXT NOT NULL,
    wall_ns INTEGER NOT NULL,
    lattice_id TEXT NOT NULL,
    baseline TEXT NOT NULL
);
CREATE TABLE command (
    sequence INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES run (run),
    wall_ns INTEGER NOT NULL,
    monotonic_ns INTEGER NOT NULL,
    user TEXT NOT NULL,
    host TEXT NOT NULL,
    protocol TEXT NOT NULL,
    note TEXT NOT NULL,
    lattice_before TEXT NOT NULL
);
CREATE TABLE change (
    sequence INTEGER NOT NULL REFERENCES command (sequence),
    {_CHANGE}
    PRIMARY KEY (sequence, position)
) WITHOUT ROWID;
CREATE TABLE outcome (
    id INTEGER PRIMARY KEY,
    sequence INTEGER NOT NULL REFERENCES command (sequence),
    outcome TEXT NOT NULL,
    wall_ns INTEGER NOT NULL,
    lattice_after TEXT NOT NULL,
    reason TEXT NOT NULL
);
CREATE TABLE effect (
    outcome INTEGER NOT NULL REFERENCES outcome (id),
    {_CHANGE}
    PRIMARY KEY (outcome, position)
) WITHOUT ROWID;
CREATE INDEX command_run ON command (run);
CREATE INDEX command_wall ON command (wall_ns);
CREATE INDEX change_pv ON change (pv);
CREATE INDEX outcome_sequence ON outcome (sequence);
"""

Number = float | str | None


def encode(value: float | None) -> Number:
    """Convert a number to its stored form."""
    if value is None:
        return None
    return "nan" if math.isnan(value) else float(value)


def decode(stored: Number) -> float | None:
    """Convert a number back from its stored form."""
    return None if stored is None else float(stored)


def encode_physics(strengths: Mapping[str, float]) -> str:
    """Convert strengths to JSON text; NaN and infinities are texts in it."""
    return json.dumps({name: value if math.isfinite(value) else str(value) for name, value in strengths.items()})


def decode_physics(stored: str) -> dict[str, float]:
    """Convert strengths back from JSON text."""
    return {name: float(value) for name, value in json.loads(stored).items()}


def encode_settings(settings: Mapping[tuple[str, str], float]) -> str:
    """Convert settings by (device, setting) to JSON text: device -> setting -> value."""
    nested: dict[str, dict[str, float]] = {}
    for (device, setting), value in settings.items():
        nested.setdefault(device, {})[setting] = value
    return json.dumps(nested, allow_nan=False)


def decode_settings(stored: str) -> dict[tuple[str, str], float]:
    """Convert settings back from JSON text."""
    nested = json.loads(stored)
    return {(device, setting): float(v) for device, inner in nested.items() for setting, v in inner.items()}


def open_for_writing(path: Path, factory: type[sqlite3.Connection] = sqlite3.Connection) -> sqlite3.Connection:
    """Open or create a journal so that a commit returns only once it is on the disk; `factory` makes the connection.

    Raises JournalError if it is from a newer gnomon or not a journal, and sqlite3.Error if SQLite cannot open it.
    """
    connection = sqlite3.connect(path, timeout=2.0, isolation_level=None, check_same_thread=False, factory=factory)
    try:
        version = check_version(connection, path)
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise JournalError(f"{path}: write-ahead logging is not possible here (got {mode!r}); use a local disk")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        if version == 0:
            _create_tables(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def create_part(path: Path) -> sqlite3.Connection:
    """Create a file of archived commands, without a log beside it; URIs can be attached. Raises sqlite3.Error."""
    connection = sqlite3.connect(path.resolve().as_uri(), uri=True, timeout=2.0, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA synchronous = FULL")
        _create_tables(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open a journal, also while it is being written; a finished one may be on a read-only medium.

    Raises JournalError if there is none, or one that this gnomon cannot read.
    """
    if not path.is_file():
        raise JournalError(f"{path}: there is no journal here; give another one with --journal")
    try:
        connection = _connect_to_read(path)
    except sqlite3.Error as error:
        raise JournalError(f"{path}: cannot be read: {error}") from error
    try:
        if check_version(connection, path) == 0:
            raise JournalError(f"{path}: nothing has been recorded in it yet")
    except sqlite3.Error as error:
        connection.close()
        raise JournalError(f"{path}: cannot be read: {error}") from error
    except JournalError:
        connection.close()
        raise
    return connection


def check_version(connection: sqlite3.Connection, path: Path) -> int:
    """Read the version of a journal's tables, 0 for an empty file. Raises JournalError if we cannot read it."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    owner = int(connection.execute("PRAGMA application_id").fetchone()[0])
    tables = int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    if tables and owner != APPLICATION_ID:
        raise JournalError(f"{path}: this is a database, but not a journal of gnomon; give another file")
    if version > VERSION:
        raise JournalError(
            f"{path}: written by a newer gnomon (journal version {version}, this one reads up to {VERSION}); "
            "update gnomon, or give another journal"
        )
    return version


def _create_tables(connection: sqlite3.Connection) -> None:
    connection.executescript(
        f"BEGIN IMMEDIATE;{TABLES}PRAGMA application_id = {APPLICATION_ID};PRAGMA user_version = {VERSION};COMMIT;"
    )


def _connect_to_read(path: Path) -> sqlite3.Connection:
    location = path.resolve().as_uri()
    connection = sqlite3.connect(f"{location}?mode=ro", uri=True, timeout=2.0, isolation_level=None)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        log = path.resolve().with_name(path.resolve().name + "-wal")
        if log.exists() and log.stat().st_size > 0:
            raise
        # Without a log, the file itself is complete, and nobody can be writing to it.
        connection = sqlite3.connect(f"{location}?immutable=1", uri=True, isolation_level=None)
    return connection
