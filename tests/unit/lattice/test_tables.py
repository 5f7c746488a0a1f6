"""Tables are found by name, carry units, refuse with near names, and become what pandas and xarray have."""

import copy
import pickle
from importlib.util import find_spec

import numpy as np
import pytest

from gnomon.lattice.tables import MatrixTable, MissingLibraryError, Table, UnknownNameError


def orbit(count: int = 3) -> Table:
    names = tuple(f"BPM{k}" for k in range(1, count + 1))
    columns = {"s": np.arange(count) * 1.5, "x": np.linspace(-0.5, 0.25, count)}
    return Table("orbit", "monitor", names, columns, {"s": "m", "x": "mm"})


def response() -> MatrixTable:
    x = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    knobs = ("HS1", "HS2", "VS1")
    return MatrixTable("response", "monitor", ("BPM1", "BPM2"), "supply", knobs, {"x": x, "y": -x}, "mm/A")


def test_a_row_is_found_by_name_and_a_column_by_attribute() -> None:
    table = orbit()
    row = table["BPM3"]
    assert (row.name, row.x, row["s"], row.units["x"]) == ("BPM3", 0.25, 3.0, "mm")
    assert type(row.x) is float
    assert repr(row) == "BPM3: s 3 m, x 0.25 mm"
    assert np.array_equal(table.x, [-0.5, -0.125, 0.25])
    assert list(table) == ["BPM1", "BPM2", "BPM3"]
    assert "BPM4" not in table
    assert dict(table)["BPM1"].x == -0.5


def test_a_table_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        orbit().x[0] = 1.0


def test_an_unknown_name_is_refused_with_near_names_whatever_its_case() -> None:
    with pytest.raises(UnknownNameError) as refusal:
        orbit()["bpm_2"]
    assert str(refusal.value).startswith("orbit: there is no monitor 'bpm_2'; near names: BPM2")
    with pytest.raises(UnknownNameError, match=r"'\\x1b\[31m'$"):
        orbit()["\x1b[31m"]
    with pytest.raises(AttributeError, match="no column 'z'; it has s, x"):
        _ = orbit().z


def test_rows_are_found_by_patterns() -> None:
    assert orbit().find("BPM[12]").names == ("BPM1", "BPM2")
    assert orbit().find("BPM3", "*1").x.tolist() == [-0.5, 0.25]
    with pytest.raises(UnknownNameError, match="there is no monitor 'Q"):
        orbit().find("Q*")


def test_a_column_of_a_name_that_a_table_has_is_an_error() -> None:
    with pytest.raises(ValueError, match="'names'"):
        Table("t", "a", ("b",), {"names": np.zeros(1)}, {})
    with pytest.raises(ValueError, match="shape"):
        Table("t", "a", ("b",), {"x": np.zeros(2)}, {})


def test_text_and_html_show_the_ends_of_a_long_table_and_say_how_much_is_left_out() -> None:
    lines = repr(orbit(100)).splitlines()
    assert lines[:2] == ["orbit", "monitor  s [m]     x [mm]"]
    assert lines[-1].split() == ["BPM100", "148.5", "0.25"]
    assert "... 84 more" in lines
    html = orbit(100)._repr_html_()
    assert "84 more" in html
    assert html.count("<tr>") == 1 + 16 + 1


def test_html_escapes_texts_of_others() -> None:
    table = Table("<b>", "a", ("<script>",), {"<i>": np.array(["<u>"], dtype=object)}, {})
    assert not any(tag in table._repr_html_() for tag in ("<b>", "<script>", "<i>", "<u>"))


def test_a_matrix_is_read_by_two_names() -> None:
    table = response()
    assert table["BPM2", "HS1"].x == 4.0
    assert table["BPM2", "HS1"].units == {"x": "mm/A", "y": "mm/A"}
    assert table.by("HS2").x.tolist() == [2.0, 5.0]
    assert table.at("BPM1").y.tolist() == [-1.0, -2.0, -3.0]
    assert table.matrix.shape == (4, 3)
    with pytest.raises(UnknownNameError, match="near names: HS"):
        table["BPM1", "HS3"]


def test_tables_can_be_copied_and_sent_to_other_processes() -> None:
    for table in (orbit(), response()):
        for other in (pickle.loads(pickle.dumps(table)), copy.deepcopy(table)):
            assert repr(other) == repr(table)


def test_pandas_has_the_names_as_index_and_the_units() -> None:
    pytest.importorskip("pandas")
    frame = orbit().to_pandas()
    assert frame.loc["BPM3", "x"] == 0.25
    assert frame.attrs["units"]["x"] == "mm"
    assert response().to_pandas().loc[("y", "BPM2"), "VS1"] == -6.0


def test_xarray_has_the_names_as_coordinates_and_the_units() -> None:
    pytest.importorskip("xarray")
    data = orbit().to_xarray()
    assert float(data.x.sel(monitor="BPM3")) == 0.25
    assert data.x.attrs["units"] == "mm"
    assert float(response().to_xarray().y.sel(monitor="BPM2", supply="VS1")) == -6.0


def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gnomon.lattice.tables.find_spec", lambda name: None if name == "pandas" else find_spec(name))
    with pytest.raises(MissingLibraryError, match=r"pandas, which is not installed; pip install 'gnomon\[tables\]'"):
        orbit().to_pandas()


def test_a_matrix_is_shown_by_the_rms_response_to_each_knob() -> None:
    lines = repr(response()).splitlines()
    assert lines[0] == "response: 3 by supply, 2 by monitor; rms by each"
    assert [line.split() for line in lines[1:]] == [
        ["supply", "x", "[mm/A]", "y", "[mm/A]"],
        ["HS1", "2.91548", "2.91548"],
        ["HS2", "3.80789", "3.80789"],
        ["VS1", "4.74342", "4.74342"],
    ]
    assert "4.74342" in response()._repr_html_()


def test_names_and_columns_are_offered_for_completion() -> None:
    assert orbit()._ipython_key_completions_() == ["BPM1", "BPM2", "BPM3"]
    assert {"s", "x"} <= set(dir(orbit()))
    assert {"s", "x"} <= set(dir(orbit()["BPM1"]))
    assert {"x", "y"} <= set(dir(response()))
