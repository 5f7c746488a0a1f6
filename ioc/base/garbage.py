"""Collection of garbage by the event loop alone, between its callbacks, when no lock is held.

Python collects whenever objects are made, in any thread and under any lock. The last of a PV Access operation waits for
pvxs' thread; collected while a lock is held for which that thread waits, it would stop the server for good.
"""

import asyncio
import gc

#: Time between two looks [s].
PERIOD_S = 0.1
#: Of so many collections, one goes through the middle generation, and of so many of those, one through all.
MIDDLE, ALL = 10, 10


async def collect_garbage() -> None:
    """Collect regularly until cancelled; meanwhile nothing else collects."""
    enough = gc.get_threshold()[0]
    number = 0
    gc.disable()
    try:
        while True:
            await asyncio.sleep(PERIOD_S)
            if gc.get_count()[0] > enough:
                number += 1
                gc.collect(2 if number % (MIDDLE * ALL) == 0 else int(number % MIDDLE == 0))
    finally:
        gc.enable()
