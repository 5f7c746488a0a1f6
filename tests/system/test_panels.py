"""Panels next to a running server: every field of every panel connects, over the protocol that it names."""

import re
from pathlib import Path
from xml.etree import ElementTree

from conftest import EpicsPorts

from programs import every_pv
from system.twin_process import TwinProcess


def test_every_field_of_the_panels_connects(epics_ports: EpicsPorts, tmp_path: Path) -> None:
    with TwinProcess(epics_ports.environment, tmp_path, "--machine", "mls", "--prefix", "SIM:") as twin:
        done = twin.gnomon("panels", "--machine", "mls", "--prefix", "SIM:", "--out", str(tmp_path / "panels"))
        assert done.returncode == 0, done.stderr
        files = list((tmp_path / "panels").glob("*.bob"))
        elements = (element for file in files for element in ElementTree.parse(file).iter())
        texts = [e.text or "" for e in elements if e.tag in ("pv_name", "x_pv", "y_pv")]
        fields = {name for text in texts for name in (re.findall("`([^`]*)`", text) if text[:1] == "=" else [text])}
        ca, pva = (sorted(f.removeprefix(p) for f in fields if f.startswith(p)) for p in ("ca://", "pva://"))
        assert len(ca) > 200
        assert len(pva) > 5
        missing = twin.client(every_pv.missing, ca, pva)
    assert missing == []
