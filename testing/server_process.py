"""The server of a test session, in a process of its own: `python -m gnomon.testing.server_process FOLDER`.

It reads requests from standard input, a line of JSON each: `{"file": CONFIGURATION or null, "changes": {...}}`. The
first one starts the server; each further one lets a fresh twin take the place of the present one, behind the same PVs.
It answers each with a line, `{"journal": PATH}` or `{"error": TEXT}`, and may say `{"compiling": true}` before it.
It ends at the end of its input, also of a test session that was killed, and removes the folder with all its files.
"""

import asyncio
import json
import logging
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

from gnomon.ioc.app.run import bound_memory
from gnomon.ioc.app.serving import Serving, start
from gnomon.ioc.base.config import Config, changed, read_config
from gnomon.ioc.base.log_limits import log_to_stderr
from gnomon.lattice import GnomonError
from gnomon.propagator import compile_kernels, kernels_are_cached

log = logging.getLogger("gnomon.testing")


class RenewedServer:
    """The server, and the files of the twin that it shows: a journal and a store for each, in `folder`."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._serving: Serving | None = None
        self._number = 0

    async def take(self, request: Mapping[str, Any]) -> dict[str, str]:
        """Start the server, or renew its twin. Raises GnomonError."""
        self._number += 1
        config = self._config(request, self._number)
        if self._serving is None:
            self._serving = await start(config, self._stack)
            bound_memory(self._serving, self._stack)
        else:
            before = self._serving.recipe.config
            await self._serving.renew(config)
            for path in (before.journal(), before.store_path()):
                for file in path.parent.glob(f"{path.name}*"):
                    file.unlink(missing_ok=True)
        log.info("twin %d: %s, role %s, prefix %r", self._number, config.machine, config.role, config.prefix)
        return {"journal": str(config.journal())}

    def _config(self, request: Mapping[str, Any], number: int) -> Config:
        file = request.get("file")
        settings = changed(read_config(Path(file) if file else None), request["changes"])
        own = {
            "recorder": {"journal": str(self._folder / f"{number}.journal")},
            "store": {"path": str(self._folder / f"{number}.sqlite")},
        }
        return changed(settings, own)


async def _serve(folder: Path, answer: Any) -> None:
    loop = asyncio.get_running_loop()
    requests = asyncio.StreamReader(limit=2**24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(requests), sys.stdin)
    loop.add_signal_handler(signal.SIGTERM, requests.feed_eof)

    def say(**told: Any) -> None:
        answer.write(json.dumps(told) + "\n")
        answer.flush()

    async with AsyncExitStack() as stack:
        server = RenewedServer(folder, stack)
        while line := await requests.readline():
            if not kernels_are_cached():
                say(compiling=True)
                await asyncio.to_thread(compile_kernels)
            try:
                say(**await server.take(json.loads(line)))
            except GnomonError as error:
                say(error=str(error))
                return


def main() -> None:
    """Serve until standard input ends."""
    folder = Path(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, which then end this process
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever else is printed goes to the log
    log_to_stderr()
    try:
        with suppress(BrokenPipeError):
            asyncio.run(_serve(folder, answers))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    # Freeing compiled kernels and thousands of PVs one by one would take seconds.
    os._exit(0)


if __name__ == "__main__":
    main()
