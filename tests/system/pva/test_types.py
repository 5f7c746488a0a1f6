"""The structures of our PVs are those of an EPICS IOC (QSRV), field by field, so that its clients work here."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import EpicsPorts
from p4p.client.thread import Context
from patience import PATIENCE_S, wait_for

from system.pva.stage import Served

pytest.importorskip("pvxslibs", reason="QSRV to compare with comes with pvxslibs")

RECORDS = """
record(ao, "Q:float") {}
record(int64out, "Q:int") {}
record(mbbo, "Q:enum") { field(ZRST, "off") field(ONST, "on") }
record(stringin, "Q:string") {}
record(waveform, "Q:floats") { field(FTVL, "DOUBLE") field(NELM, "10") }
record(waveform, "Q:strings") { field(FTVL, "STRING") field(NELM, "10") }
"""


@pytest.fixture
def qsrv(epics_ports: EpicsPorts, tmp_path: Path) -> Iterator[Context]:
    """A client of an IOC with one record of each type."""
    (tmp_path / "types.db").write_text(RECORDS)
    environment = epics_ports.environment
    process = subprocess.Popen(
        [sys.executable, "-m", "pvxslibs.ioc", "-d", str(tmp_path / "types.db")],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        with Context("pva", conf=environment, useenv=False, nt=False) as context:
            yield context
    finally:
        process.communicate(b"exit()\n", timeout=PATIENCE_S)


def test_types_are_those_of_an_ioc(served: Served, client: Context, qsrv: Context) -> None:
    pairs = {
        "T:current": "Q:float", "T:count": "Q:int", "T:mode": "Q:enum", "T:reason": "Q:string",
        "T:orbit": "Q:floats", "T:names": "Q:strings",
    }  # fmt: skip
    theirs: list[Any] = []
    assert wait_for(lambda: _answers(qsrv, list(pairs.values()), theirs))
    for name, expected in zip(pairs, theirs, strict=True):
        ours = client.get(name)
        assert ours.getID() == expected.getID()
        assert fields_of(ours.type().aspy()) == fields_of(expected.type().aspy()), name


def _answers(context: Context, names: list[str], values: list[Any]) -> bool:
    try:
        values[:] = context.get(names, timeout=5.0)
    except TimeoutError:
        return False
    return True


def fields_of(code: Any) -> Any:
    """A type without the names of its structures: QSRV leaves out some that the specification gives."""
    return code if isinstance(code, str) else [(name, fields_of(field)) for name, field in code[2]]
