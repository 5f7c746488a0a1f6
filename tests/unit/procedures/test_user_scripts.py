"""User scripts: the example as a procedure, what moves goes back, and broken ones told by line and remedy."""

import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gnomon.lattice import Ring
from gnomon.procedures import user_scripts
from gnomon.procedures.documents import quantities
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.registry import PROCEDURES, reanalyse, typed
from gnomon.procedures.results import compare
from gnomon.procedures.runnable import Watcher, checked_options, run_procedure
from gnomon.procedures.script_descriptions import ScriptCatalogue
from gnomon.procedures.summaries import summarise
from gnomon.procedures.user_scripts import BrokenScriptError, load_script, load_scripts
from tools.folders import ROOT
from unit.procedures.noisy_ring import NoisyRing
from unit.procedures.test_runnable import FakeBench

EXAMPLE = ROOT / "examples" / "scripts" / "orbit_return.py"

#: A script without wrappers of its own, whose pieces can be broken.
SCRIPT = '''"""A test."""
import bluesky.plan_stubs as bps
from gnomon.procedures.documents import Data, Outcome
class Found(Data):
    value: float
class Told(Outcome):
    twice: float
def plan(ring, options, recording):
    device = ring.supplies["HS4P1D1R"]
    yield from bps.abs_set(device, 0.5, wait=True)
    yield from bps.abs_set(device, 0.7, wait=True)
    return Found(value=1.5)
def analyse(data: Found, options) -> Told:
    return Told(twice=2 * data.value)
'''


@pytest.fixture(autouse=True)
def known() -> Any:
    before = dict(PROCEDURES)
    yield
    PROCEDURES.clear()
    PROCEDURES.update(before)


@pytest.fixture
def bench(bessy2: Ring, tmp_path: Path) -> FakeBench:
    return FakeBench(NoisyRing(bessy2.nominal, 1), tmp_path / "results")


def test_the_example_is_a_procedure_whose_runs_are_stored_shown_and_analysed_again(bench: FakeBench) -> None:
    loaded = load_script(EXAMPLE)
    assert (loaded.name, loaded.title) == ("orbit-return", "Return of the orbit after excursions of a steerer")
    with pytest.raises(ProcedureError, match="orbit-return: steerer: it is missing"):
        checked_options(loaded, {"times": 2})
    options = checked_options(loaded, {"steerer": "HS4P1D1R", "times": 3, "note": "a note"})
    finished = run_procedure(loaded, bench, options, Watcher())
    ((run, _),) = finished.runs
    assert (run.status, run.note, run.parameters["options"]["times"]) == ("done", "a note", 3)
    stored = bench.results.load("orbit-return")
    outcome = typed(stored)[2]
    assert outcome is not None
    arrays = quantities(outcome)
    np.testing.assert_allclose(arrays["rms_x_mm"].values, np.sqrt(2) * bench.ring_now.noise_mm, rtol=0.3)
    assert reanalyse(stored).model_dump_json() == outcome.model_dump_json()
    assert {line.name for line in summarise(stored)} == {"largest_mm", "rms_x_mm, rms of 3", "rms_y_mm, rms of 3"}
    assert [each.largest for each in compare(stored, run)] == [0.0, 0.0]


def test_settings_of_a_script_are_put_back_however_it_ends(bench: FakeBench, tmp_path: Path) -> None:
    before = bench.ring_now.lattice.id
    file = tmp_path / "my_script.py"
    for text, status in ((SCRIPT, "done"), (SCRIPT.replace("0.7, wait", "float('x'), wait"), "failed")):
        file.write_text(text)
        loaded = load_script(file)
        finished = run_procedure(loaded, bench, checked_options(loaded, {}), Watcher())
        assert finished.runs[0][0].status == status
        assert bench.ring_now.lattice.id == before
    assert isinstance(finished.failure, BrokenScriptError)
    assert f"{file}, line 11: ValueError: could not convert" in str(finished.failure)


def test_an_analysis_that_fails_keeps_the_raw_data(bench: FakeBench, tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text(SCRIPT.replace("2 * data.value", "data.velue"))
    loaded = load_script(tmp_path / "wrong.py")
    finished = run_procedure(loaded, bench, checked_options(loaded, {}), Watcher())
    assert isinstance(finished.failure, AttributeError)
    stored = bench.results.load("wrong")
    assert (stored.status, stored.data) == ("failed", {"value": 1.5})
    assert "velue" in stored.reason


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("def plan(", "def plan(:", "line 8: it is not Python: "),
        (
            "from gnomon.proc",
            "import nonsense\nfrom gnomon.proc",
            "line 3: No module named 'nonsense'; install",
        ),
        ("class Told", "1 / 0\nclass Told", "line 6: ZeroDivisionError: division by zero; correct it"),
        ("class Told", "raise SystemExit(3)\nclass Told", "line 6: SystemExit: 3"),
        ("def plan(", "def plans(", "it has no function plan; write `def plan(ring, options, recording)`"),
        ("options, recording)", "options)", "line 8: plan does not have 3 parameters"),
        ("data: Found", "data", "line 13: analyse does not say the type of its first parameter data"),
        ("-> Told", "-> Found", "line 13: analyse does not say the type of what it returns; annotate it"),
        ("class Told", "class Options: pass\nclass Told", "line 6: Options is not a class of options; write `class"),
    ],
)
def test_a_broken_script_is_told_by_line_and_remedy(tmp_path: Path, old: str, new: str, told: str) -> None:
    file = tmp_path / "broken.py"
    file.write_text(SCRIPT.replace(old, new, 1))
    with pytest.raises(BrokenScriptError) as error:
        load_script(file)
    assert str(error.value).startswith(str(file))
    assert told in str(error.value)


def test_names_of_scripts_are_not_those_of_gnomon(tmp_path: Path) -> None:
    for name, told in (("orm.py", "gnomon has a procedure orm already"), ("bad name.py", "its name is not")):
        (tmp_path / name).write_text(SCRIPT)
        with pytest.raises(BrokenScriptError, match=told):
            load_script(tmp_path / name)
    (tmp_path / "good_one.py").write_text(SCRIPT)
    (tmp_path / "_helper.py").write_text("1 / 0")
    loaded, broken = load_scripts(tmp_path)
    assert (set(loaded), len(broken)) == ({"good-one"}, 2)
    assert load_scripts(tmp_path / "missing") == ({}, [])


@pytest.mark.slow(3)  # each time in a process of its own
def test_scripts_are_described_without_being_executed_here_and_again_when_they_change(tmp_path: Path) -> None:
    file = tmp_path / "seen.py"
    file.write_text("import os, sys\nprint('noise')\nos._exit(7)\n")
    catalogue = ScriptCatalogue(tmp_path)
    (described,) = catalogue.described()
    assert "ended the process that loaded it, with 7" in described.reason
    file.write_text("print('noise')\n" + SCRIPT.replace('"""A test."""', '"""A test, described.\n\nMore."""'))
    (described,) = catalogue.described()
    assert (described.name, described.title, described.reason) == ("seen", "seen", "")
    assert "note" in described.options["properties"]
    assert "seen" not in PROCEDURES


@pytest.mark.parametrize(
    "loop",
    [
        "while True: pass",
        "import time\ntime.sleep(3600)",
        "while True:\n    try:\n        while True: pass\n    except Exception: pass",
    ],
)
def test_a_script_that_does_not_end_when_it_is_loaded_is_told_with_its_line(
    tmp_path: Path, loop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.getsignal(signal.SIGALRM)
    monkeypatch.setattr(user_scripts, "LOAD_S", 0.1)
    (tmp_path / "endless.py").write_text(f"x = 1\n{loop}\n")
    (tmp_path / "good.py").write_text(SCRIPT)
    loaded, (broken,) = load_scripts(tmp_path)
    assert list(loaded) == ["good"]
    assert re.search(r"endless\.py, line \d: it was not loaded within 0\.1 s; begin nothing", str(broken))
    assert signal.getsignal(signal.SIGALRM) == before


@pytest.mark.slow(2)
def test_a_script_that_catches_everything_ends_the_process_that_loads_it(tmp_path: Path) -> None:
    file = tmp_path / "stubborn.py"
    file.write_text("def spin():\n    while True: pass\nwhile True:\n    try:\n        spin()\n    except: pass\n")
    text = (
        "from pathlib import Path\nfrom gnomon.procedures import user_scripts as scripts\n"
        f"scripts.LOAD_S, scripts.MAX_FIRED = 0.1, 2\nscripts.load_script(Path({str(file)!r}))"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "stubborn.py: it does not end when it is loaded; the process ends" in done.stderr
