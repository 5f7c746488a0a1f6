"""Procedures as process variables: their list, and the arrays of a result's plot."""

import numpy as np

from gnomon.procedures.documents import Run
from gnomon.services.procedure_pvs import PVS, main_arrays, procedure_specs
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
