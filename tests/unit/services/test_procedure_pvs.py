"""Procedures as process variables: their list, and the arrays of a result's plot."""

from pathlib import Path

import numpy as np

from gnomon.procedures.documents import Run
from gnomon.services.access_tokens import Tokens
from gnomon.services.job_documents import Job
from gnomon.services.job_runner import JobRunner
from gnomon.services.procedure_pv_specs import PVS, procedure_specs
from gnomon.services.procedure_pvs import ProcedurePvs, main_arrays
from gnomon.services.script_routes import ScriptRoutes
from gnomon.services.service_settings import ServiceSettings
from tools import procedure_pv_reference
from unit.procedures.test_results import orm_run


def test_every_pv_has_a_description_and_a_name_of_its_own() -> None:
    specs = procedure_specs("P:")
    assert len({spec.name for spec in specs}) == len(specs) == len(PVS)
    assert all(spec.description for spec in specs)
    assert {spec.name for spec in specs if spec.writable} == {
        f"P:{name}" for name in ("procedure", "target", "options", "apply", "start", "cancel")
    }


def test_the_page_of_the_pvs_is_up_to_date() -> None:
    page = procedure_pv_reference.PAGE.read_text(encoding="utf-8")
    assert page == procedure_pv_reference.render(), "cd tests && python -m tools.procedure_pv_reference"


def test_arrays_are_those_of_the_plot_with_units() -> None:
    run = orm_run(1, "orm-1")
    assert run.outcome is not None
    shown = main_arrays(run)
    assert shown["result:labels"] == ["number", "x [mm/A]", "y [mm/A]"]
    np.testing.assert_allclose(shown["result:y1"], np.ravel(np.array(run.outcome["x"], dtype=float)))
    assert len(shown["result:x"]) == len(shown["result:y2"])


def test_a_script_has_its_first_arrays_and_a_failed_run_none() -> None:
    outcome = {"text": "t", "first": [1.0, 2.0], "second": [[3.0], [4.0]], "third": [5.0]}
    run = Run(name="x-1", procedure="a-script", data={}, parameters={}, outcome=outcome)
    shown = main_arrays(run)
    assert (shown["result:labels"], shown["result:y2"].tolist()) == (["number", "first", "second"], [3.0, 4.0])
    failed = main_arrays(run.model_copy(update={"status": "failed"}))
    assert (failed["result:labels"], failed["result:y1"].size) == (["number"], 0)


async def test_arrays_of_an_earlier_result_do_not_stay_beside_the_name_of_a_later_one(tmp_path: Path) -> None:
    settings = ServiceSettings(Tokens("f" * 16), tmp_path / "results")
    pvs = ProcedurePvs("P:", settings, JobRunner(settings), ScriptRoutes(None))
    shown = pvs._pvs
    shown.publish({"result": "orm-1", "result:y1": np.ones(3)})
    job = Job(id="orm-x", procedure="orm", prefix="T:", started="2026-11-27", results=["orm-2"])
    pvs._result = "orm-3"
    await pvs._show_result(job)  # read late
    assert (shown.value("result"), len(shown.value("result:y1"))) == ("orm-1", 3)
    pvs._result = "orm-2"
    await pvs._show_result(job)  # whose file is gone
    assert (shown.value("result"), len(shown.value("result:y1"))) == ("orm-2", 0)
