"""Write the files of this version that later ones must open: `PYTHONPATH=tests python -m tools.version_files`.

To be run once for each release, before its tag: a real server of a small ring is used as people use one, and what it
leaves is kept under tests/fixtures/v<version>. Files that are there are never written again: that is their point.
"""

import json
import shutil
import sqlite3
import tempfile
from pathlib import Path

from conftest import EpicsPorts, free_port

import gnomon
from gnomon.procedures.results import STUDIES, Results
from gnomon.propagator.studies import write_result
from programs import access, setpoints, version_files
from system.twin_process import TwinProcess
from unit.lattice import small_ring
from unit.procedures.test_results import orm_run
from unit.services.catalogue.kept_things import tune_study

FOLDER = Path(__file__).parents[1] / "fixtures" / f"v{gnomon.__version__}"

PVS = [
    {"pv": "{name}:set", "each": "supply", "source": "set", "property": "current", "description": "current of {name}"},
    {"pv": "{name}:read", "each": "supply", "source": "readback", "property": "current", "description": "current"},
    {"pv": "TUNE:X", "source": "tune.x", "description": "horizontal tune"},
    {"pv": "TUNE:Y", "source": "tune.y", "description": "vertical tune"},
]
#: A value of every section.
CONFIG = """\
prefix: "OLD:"
network: {interfaces: [127.0.0.1]}
model: {timeout_s: 5.0}
publish: {repeat_hz: 2.0}
recorder: {restore: true}
access:
  host_groups: {console: [127.0.0.1]}
  rules:
    - {allow: write, hosts: [console]}
    - {allow: read}
forks: {most: 2}
"""
BEFORE = [("QFP:set", 80.25), ("QDP:set", 73.0), ("QFP:set", 80.125)]
AFTER = [("QDP:set", 73.25), ("CP:set", 0.5)]


def keep_results(folder: Path) -> None:
    """Keep a result with its digest, and a study as HDF5 and as JSON."""
    run = orm_run(1, "orm-20261127T100000.000")
    Results(folder).save(run)
    (folder / "orm.sha256").write_text(f"{run.digest}\n", encoding="utf-8")
    (folder / STUDIES).mkdir()
    for ending in (".h5", ".json"):
        write_result(tune_study(), folder / STUDIES / f"study-tune{ending}")


def write(folder: Path) -> None:
    """Write all files into a folder, which is made."""
    folder.mkdir(parents=True)
    machine = small_ring.document() | {"pvs": "small"}
    names = {"schema": "gnomon.pvs/1", "name": "small", "include": ["beam"], "pvs": PVS}
    for name, document in (("small.json", machine), ("small.pvs.json", names)):
        (folder / name).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    (folder / "config.yaml").write_text(CONFIG, encoding="utf-8")
    keep_results(folder / "results")
    with tempfile.TemporaryDirectory() as scratch:
        ports = EpicsPorts(free_port(), free_port(), free_port())
        arguments = ("--config", str(folder / "config.yaml"), "--machine", str(folder / "small.json"))
        with TwinProcess(ports.environment, Path(scratch), *arguments) as twin:
            use(twin, folder)
        keep(twin.journal, folder / "twin.journal")
        data = Path(scratch, "data", "gnomon")
        keep(data / "documents.sqlite", folder / "documents.sqlite")
        shutil.copytree(data / "pvs", folder / "pvs")


def use(twin: TwinProcess, folder: Path) -> None:
    """Leave something of every kind in the journal and in the store, and write down what was served."""
    journal = ("--journal", str(twin.journal))
    twin.client(access.caput_all, [("OLD:" + name, value) for name, value in BEFORE])
    gnomon_does(twin, "snapshot", "save", "golden", "-m", "first", *journal)
    gnomon_does(twin, "fault", "add", "modify", "QDP", "scale=0.99", "--prefix", "OLD:")
    twin.client(access.caput_all, [("OLD:" + name, value) for name, value in AFTER[:1]])
    gnomon_does(twin, "fault", "clear", "--all", "--prefix", "OLD:")
    twin.client(version_files.refused, "OLD:CP:set", 1e6)
    twin.client(access.caput_all, [("OLD:" + name, value) for name, value in AFTER[1:]])
    twin.client(setpoints.set_together, "OLD:dt:set", ["QFP:set", "SFP:set"], [80.0, 40.5])
    twin.client(access.caput, "OLD:dt:orbit:ref:save", "kicked")
    gnomon_does(twin, "snapshot", "save", "golden", "-m", "second", "--replace", *journal)
    gnomon_does(twin, "snapshot", "save", "dropped", *journal)
    gnomon_does(twin, "snapshot", "delete", "dropped")
    for name in ("golden.snp", "golden.sav", "golden.csv", "golden.bms"):
        gnomon_does(twin, "snapshot", "export", "golden", str(folder / name))
    gnomon_does(twin, "log", "export", *journal, str(folder / "commands.jsonl"))
    served = twin.client(version_files.served, "OLD:")
    (folder / "served.json").write_text(json.dumps(served, indent=1) + "\n", encoding="utf-8")


def gnomon_does(twin: TwinProcess, *arguments: str) -> None:
    done = twin.gnomon(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr


def keep(file: Path, where: Path) -> None:
    """A copy of a database in one small file, without a write-ahead log beside it."""
    with sqlite3.connect(file) as connection:
        connection.execute("VACUUM INTO ?", (str(where),))
    connection.close()


if __name__ == "__main__":
    write(FOLDER)
