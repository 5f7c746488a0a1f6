"""Documents keep every bit through JSON, refuse what is not theirs, and tell units and axes of their arrays."""

import json
import subprocess
import sys

import numpy as np
import pytest
from pydantic import ValidationError

from gnomon.procedures.documents import Outcome, Parameters, Part, Provenance, Run, quantities
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.orbit_response import OrbitResponseData

DATA = OrbitResponseData(
    steerers=("A",), setting_unit="mrad", monitors=("M", "N"), settings=np.array([[0.1], [1 / 3]]), group=np.zeros(2),
    x_mm=np.array([[np.nan, 1e-300], [np.pi, -0.0]]), y_mm=np.zeros((2, 2)), time_s=np.array([0.0, 1.0]),
)  # fmt: skip


def test_arrays_keep_every_bit_and_nan_is_null() -> None:
    text = DATA.model_dump_json()
    assert json.loads(text)["x_mm"][0][0] is None
    again = OrbitResponseData.model_validate_json(text)
    assert again.x_mm.tobytes() == DATA.x_mm.tobytes()
    assert again.settings.tobytes() == DATA.settings.tobytes()


def test_a_number_that_was_not_found_is_null_in_a_file_and_nan_again() -> None:
    class Found(Outcome):
        width: float
        steps: int = 0

    class Options(Parameters):
        width: float

    assert np.isnan(Found.model_validate_json(Found(width=np.nan).model_dump_json()).width)
    with pytest.raises(ValidationError, match="steps"):
        Found.model_validate({"width": None, "steps": None})
    with pytest.raises(ValidationError, match="width"):
        Options.model_validate({"width": None})


def test_arrays_cannot_be_written_and_ragged_ones_are_refused() -> None:
    with pytest.raises(ValueError, match="read-only"):
        DATA.x_mm[0, 0] = 1.0
    with pytest.raises(ValidationError):
        OrbitResponseData.model_validate(DATA.model_dump() | {"x_mm": [[1.0], [1.0, 2.0]]})
    with pytest.raises(ValidationError, match="extra"):
        OrbitResponseData.model_validate(DATA.model_dump() | {"more": 1})


def test_units_name_the_unit_of_the_settings() -> None:
    found = quantities(DATA)
    assert found["settings"].unit == "mrad"
    assert found["x_mm"].axes == ("row", "monitors")
    with pytest.raises(ProcedureError, match="x_mm has 1 dimensions"):
        quantities(DATA.model_copy(update={"x_mm": np.zeros(2)}))


def test_a_run_has_one_text_and_one_digest() -> None:
    run = Run(
        name="orm-1", procedure="orm", data=DATA.model_dump(mode="json"), parameters={}, outcome=None,
        provenance=Provenance(machine="bessy2", versions={"gnomon": "1", "a": "2"}),
    )  # fmt: skip
    again = Run.model_validate_json(run.to_json())
    assert again.to_json() == run.to_json()
    assert again.digest == run.digest
    assert json.loads(run.to_json())["schema"] == "gnomon.procedure/1"


def test_analyses_need_no_extra_and_no_epics() -> None:
    names = [
        "bounded", "chromaticity", "closed_bump", "dispersion", "documents", "orbit_correction", "orbit_response",
        "tune_response", "working_point",
    ]  # fmt: skip
    code = (
        f"import sys; [__import__('gnomon.procedures.' + name) for name in {names!r}]; "
        "extras = {'bluesky', 'ophyd', 'ophyd_async', 'p4p', 'caproto', 'epics', 'h5py', 'numba'}; "
        "print(sorted(extras & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_every_part_refuses_unknown_keys() -> None:
    assert Part.model_config["extra"] == "forbid"
    with pytest.raises(ValidationError):
        Provenance.model_validate({"machin": "bessy2"})
