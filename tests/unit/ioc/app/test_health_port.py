"""Health and figures over HTTP: what the PVs show, by prefix; reasons why not ready; clients that are no clients."""

import asyncio
import json
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import free_port
from patience import PATIENCE_S
from prometheus_client.parser import text_string_to_metric_families

from gnomon.db import sources
from gnomon.ioc.app.health_port import MAX_CONNECTIONS, HealthPort, HealthPortError
from gnomon.ioc.app.twin_figures import figures_of, unready
from gnomon.ioc.base.operations_config import MetricsConfig
from gnomon.ioc.outputs.bank import Bank
from unit.ioc.rig import RING, specs

SPECS = specs()
BY_SOURCE = {spec.source: index for index, spec in enumerate(SPECS)}


def twin(prefix: str = "T:", **values: float) -> Any:
    """A twin whose PVs of these sources (`_` for `.`) have values in their own unit; all others are INVALID."""
    bank = Bank(SPECS, 1)
    given = {BY_SOURCE[source.replace("_", ".")]: value for source, value in values.items()}
    indices = np.array(list(given), dtype=np.intp)
    bank.publish((indices, np.array(list(given.values()))), {}, time_ns=1, generation=1)
    return SimpleNamespace(
        bank=bank, prefix=prefix, machine=SimpleNamespace(ring=RING), config=SimpleNamespace(role="twin")
    )


def figures(port: HealthPort) -> dict[tuple[str, str], float]:
    status, kind, text = port.answer("GET", "/metrics")
    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return {
        (sample.name, sample.labels["prefix"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_figures_are_those_of_the_pvs_in_base_units_by_prefix() -> None:
    one, other = twin(status_queue=3.0, status_memory=250.0), twin("F:", status_queue=0.0)
    found = figures(HealthPort(lambda: [one, other]))
    assert found["gnomon_status_queue", "T:"] == 3.0
    assert found["gnomon_status_queue", "F:"] == 0.0
    scale = SPECS[BY_SOURCE["status.memory"]].scale
    assert found["gnomon_status_memory_bytes", "T:"] == 250.0 / scale
    assert ("gnomon_status_memory_bytes", "F:") not in found  # INVALID
    assert found["gnomon_info", "T:"] == found["gnomon_ready", "F:"] == 1.0


def test_every_metric_is_told_once_and_no_device_has_one() -> None:
    names = [family.name for family in figures_of([twin(), twin("F:")])]
    assert len(set(names)) == len(names)
    assert not any("monitor_x" in name or name == "gnomon_set" for name in names)
    assert {"gnomon_status_heartbeat", "gnomon_beam_found", "gnomon_faults_count"} <= set(names)


def test_a_journal_that_is_not_written_and_a_model_that_hangs_are_not_ready() -> None:
    assert unready(twin(recorder_state=0.0, status_model_hung=3.0).bank) == []
    port = HealthPort(lambda: [twin(recorder_state=1.0), twin("F:", status_model_hung=4.0)])
    status, _, text = port.answer("GET", "/readyz")
    assert status == 503
    assert text.splitlines() == [
        "T:: the journal is not written: no command is taken",
        "F:: the model hangs: nothing is computed; restart the server",
    ]
    assert port.answer("GET", "/healthz")[0] == 200


@pytest.mark.parametrize(("method", "path", "status"), [("POST", "/metrics", 405), ("GET", "/", 404), ("X", "/a", 404)])
def test_there_is_nothing_else(method: str, path: str, status: int) -> None:
    assert HealthPort(list).answer(method, path)[0] == status


async def ask(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    try:
        return await asyncio.wait_for(reader.read(), PATIENCE_S)
    finally:
        writer.close()


@pytest.mark.network
async def test_requests_over_the_network_are_answered_and_others_do_no_harm() -> None:
    number = free_port()
    async with AsyncExitStack() as stack:
        url = await HealthPort(lambda: [twin()]).start(MetricsConfig(port=number), stack)
        assert url == f"http://127.0.0.1:{number}"
        with pytest.raises(HealthPortError, match=rf"metrics\.port: cannot listen on 127\.0\.0\.1:{number}: "):
            await HealthPort(list).start(MetricsConfig(port=number), stack)
        answer = await ask(number, b"GET /healthz?x=1 HTTP/1.1\r\nHost: h\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.endswith(b"\r\n\r\nok\n")
        assert (await ask(number, b"HEAD /metrics HTTP/1.0\r\n\r\n")).endswith(b"Connection: close\r\n\r\n")
        assert b" 400 " in await ask(number, b"hello\r\n\r\n")
        assert await ask(number, b"GET /" + b"x" * 20000) == b""
        idle = [await asyncio.open_connection("127.0.0.1", number) for _ in range(MAX_CONNECTIONS)]
        assert await ask(number, b"GET /healthz HTTP/1.1\r\n\r\n") == b""  # one too many
        for _, writer in idle:
            writer.close()
        for _ in range(1000):
            if (await ask(number, b"GET /healthz HTTP/1.1\r\n\r\n")).endswith(b"ok\n"):
                break
            await asyncio.sleep(0.01)
        else:
            pytest.fail("the port did not recover")


def test_a_source_in_seconds_is_told_in_seconds() -> None:
    spec = SPECS[BY_SOURCE["model.time"]]
    found = figures(HealthPort(lambda: [twin(model_time=2.0)]))
    assert sources.MODEL_TIME.unit == "s"
    assert found["gnomon_model_time_seconds", "T:"] == 2.0 / spec.scale
    assert json.dumps(found["gnomon_model_time_seconds", "T:"]) == "0.002"
