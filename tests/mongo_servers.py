"""MongoDB servers that tests use: the one of the environment, and a substitute that speaks its wire protocol."""

import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from debian_programs import MAY_NOT_SKIP
from patience import PATIENCE_S

from gnomon.db.mongo_address import MongoAddress, parse_mongo_address
from gnomon.db.mongo_store import open_client

#: Environment variable with the address of a MongoDB server on which tests may make databases and drop them.
URI_VARIABLE = "GNOMON_MONGODB_URI"
#: The substitute's program, in the package neosqlite with its extra nx27017 (dependency group test).
SUBSTITUTE = "nx-27017"


def server_of_environment() -> MongoAddress:
    """The address of a real server. Without one the test is skipped, in `.ci/run` too, where there is none."""
    text = os.environ.get(URI_VARIABLE)
    if not text:
        pytest.skip(f"{URI_VARIABLE} does not name a MongoDB server")
    return parse_mongo_address(text, with_password=True)


@contextmanager
def substitute_server(folder: Path, port: int) -> Iterator[MongoAddress]:
    """Run the substitute on a port of 127.0.0.1, with its file in `folder`; it has one database for all names."""
    program = shutil.which(SUBSTITUTE, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if program is None or find_spec("pymongo") is None:
        reason = f"{SUBSTITUTE} is not installed: pip install --group test"
        if os.environ.get(MAY_NOT_SKIP):
            pytest.fail(reason)
        pytest.skip(reason)
    log = folder / "nx.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, "--db", str(folder / "nx.db"), "--host", "127.0.0.1", "-p", str(port),
             "--log-file", str(folder / "nx-own.log"), "--pid-file", str(folder / "nx.pid")],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=folder,
        )  # fmt: skip
        try:
            _await(process, port, log)
            yield MongoAddress("mongodb://", f"127.0.0.1:{port}", "test")
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@asynccontextmanager
async def own_database(server: MongoAddress) -> AsyncIterator[MongoAddress]:
    """A database of its own for one test, which is dropped after it."""
    address = replace(server, database=f"gnomon-test-{uuid.uuid4().hex[:12]}")
    yield address
    client = open_client(address)
    try:
        await client.drop_database(address.database)
    finally:
        await client.close()


@asynccontextmanager
async def emptied(server: MongoAddress) -> AsyncIterator[MongoAddress]:
    """The substitute's only database without the documents of tests before."""
    client = open_client(server)
    try:
        await client[server.database]["documents"].drop()
        yield server
    finally:
        await client.close()


def _await(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    import socket

    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"{SUBSTITUTE} did not start on port {port}: {log.read_text(errors='replace')[-2000:]}")
