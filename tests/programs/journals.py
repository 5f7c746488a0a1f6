"""Processes that write a journal: `python -m programs.journals open|orphan|endless|full FILE`."""

import os
import resource
import sys
import time
from pathlib import Path

from gnomon.recorder import Journal, JournalError
from unit.recorder.records import applied, begin, write


def open_and_close(path: Path) -> None:
    """Open it as a recorder."""
    Journal(path).close()


def orphan(path: Path) -> None:
    """Open it, leave a forked child behind, print the child's number and end."""
    journal = Journal(path)
    child = os.fork()
    if child:
        print(child, flush=True)
        os._exit(0)
    os.close(1)
    os.close(2)
    time.sleep(60)
    journal.close()


def endless(path: Path) -> None:
    """Append commands, a few at a time, and print the number of the last one that is safe, until killed."""
    with Journal(path) as journal:
        begin(journal)
        print("ready", flush=True)
        while True:
            first = journal.next_sequence
            commands = [applied(n, "Q1", float(n - 1), float(n)) for n in range(first, first + 1 + first % 7)]
            journal.append([record for record, _ in commands], [outcome for _, outcome in commands])
            print(journal.next_sequence - 1, flush=True)


def full(path: Path) -> None:
    """Write until files may not grow, three times in vain, then with space again: print that command's number."""
    with Journal(path) as journal:
        begin(journal)
        write(journal, applied(1, "Q1", 0.0, 1.0))
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        log = path.with_name(path.name + "-wal")
        resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size + 9000, hard))
        refused = 0
        while refused < 3:
            try:
                write(journal, applied(journal.next_sequence, "Q1", 0.0, 1.0))
            except JournalError as error:
                if "the journal cannot be written" not in str(error):
                    raise
                refused += 1
        stopped = journal.next_sequence
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        write(journal, applied(stopped, "Q1", 0.0, 2.0))
        print(stopped)


if __name__ == "__main__":
    {"open": open_and_close, "orphan": orphan, "endless": endless, "full": full}[sys.argv[1]](Path(sys.argv[2]))
