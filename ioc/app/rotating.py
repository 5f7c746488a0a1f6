"""Look at the journal from time to time, and archive what `recorder/rotation.py` says is due."""

import asyncio
import logging
from time import time_ns

from gnomon.ioc.base.config import RotateConfig
from gnomon.ioc.base.log_limits import SparingLog
from gnomon.recorder import Journal, JournalError, Rotation, archive, due

#: Time between two looks at the journal [s].
PERIOD_S = 60.0

_log = logging.getLogger("gnomon.journal")
_failures = SparingLog(_log)

_DAY_NS = 86_400 * 1_000_000_000


async def rotate(journal: Journal, limits: RotateConfig, period_s: float = PERIOD_S) -> None:
    """Archive the journal whenever it is due, until cancelled. A failure is logged, and tried again."""
    rotation = Rotation(
        size=None if limits.megabytes is None else int(limits.megabytes * 1e6),
        age_ns=None if limits.days is None else int(limits.days * _DAY_NS),
    )
    while True:
        await asyncio.sleep(period_s)
        try:
            await asyncio.to_thread(_rotate_once, journal, rotation)
        except JournalError as error:
            _failures.warning("%s", error)


def _rotate_once(journal: Journal, rotation: Rotation) -> None:
    if due(journal.path, rotation, time_ns()) and (part := archive(journal)) is not None:
        _log.info("commands %d to %d are archived in %s", part.first, part.last, part.path)
