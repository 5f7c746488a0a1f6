"""Choose where a downstream goes on: at the oldest command, at the newest, or behind a number."""

from gnomon.recorder.journal_feed import JournalFeed, Position
from gnomon.services.forward.cursor_file import Cursor, CursorError, ResultPlace, cursor_path, read_cursor, write_cursor
from gnomon.services.forward.feeder import Source
from gnomon.services.forward.forwarder import only_forwarder
from gnomon.services.forward.result_feed import ResultFeed

__all__ = ["move_cursor"]


def move_cursor(source: Source, name: str, to: str | int) -> Cursor:
    """Set the cursor of a downstream: `oldest`, `newest`, or behind the command of a number; return it.

    Results are sent from the first, or from now on; with a number they stay where they are. Commands that were left out
    are not counted any longer. Raises ForwardError while the process runs, JournalError, CursorError.
    """
    path = cursor_path(source.journal, name)
    with only_forwarder(source.journal):
        try:
            before = read_cursor(path) or Cursor()
        except CursorError:
            before = Cursor()
        feed = JournalFeed(source.journal)
        try:
            position, results, known = Position(), before.results, before.known
            if to == "newest":
                position, results, known = feed.end(), ResultPlace(), ResultFeed(source.results).all_known()
            elif to == "oldest":
                results, known = ResultPlace(), frozenset()
            else:
                position = feed.before(int(to) + 1)
            made = Cursor(feed.identity(), position, results, before.delivered, known=known)
        finally:
            feed.close()
        write_cursor(path, made)
    return made
