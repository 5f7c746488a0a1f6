"""Files of other programs: what is written reads back to the last bit, and theirs are read as they mean it."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.recorder.recorder_errors import SaveFileError
from gnomon.recorder.save_files import FORMATS, About, Value, format_of, read, write
from gnomon.recorder.save_files.decoding import MAX_BYTES, MAX_LINES

ABOUT = About("morning", 'before the "shift", 3 A\nmore', "operator", 1_795_267_704_123_456_789)
NAMES = st.text("ABCQZ0123456789:_-", min_size=1, max_size=30).filter(lambda name: name not in ("-", "#"))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("form", FORMATS)
@settings(deadline=None)
@given(values=st.dictionaries(NAMES, NUMBERS, min_size=1, max_size=20))
def test_values_written_are_read_back_to_the_last_bit(form: str, values: dict[str, float]) -> None:
    text = FORMATS[form].render((Value(pv, value) for pv, value in values.items()), ABOUT)
    assert FORMATS[form].is_format(text)
    saved = FORMATS[form].parse(text)
    assert {pv: float(value).hex() for pv, value in saved.values.items()} == {pv: v.hex() for pv, v in values.items()}
    assert saved.left_out == {}
    assert saved.comment == 'before the "shift", 3 A more'


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_is_known_by_its_content_whatever_its_name(form: str, tmp_path: Path) -> None:
    path = tmp_path / "anything.dat"
    write(path, [Value("Q1PDR:set", 0.1)], ABOUT, form)
    assert read(path).values == {"Q1PDR:set": "0.1"}
    assert [p.name for p in tmp_path.iterdir()] == ["anything.dat"]


def test_the_suffix_says_how_to_write(tmp_path: Path) -> None:
    assert [format_of(tmp_path / f"x{s}") for s in (".sav", ".snp", ".snap", ".csv", ".bms", ".txt")] == [
        "autosave",
        "burt",
        "burt",
        "phoebus",
        "phoebus",
        "pairs",
    ]
    with pytest.raises(SaveFileError, match=r"no format has the suffix '.doc'; use one of .sav \(autosave\)"):
        format_of(tmp_path / "x.doc")


def test_autosave_of_an_ioc() -> None:
    text = (
        "# autosave R5.3\tAutomatically generated - DO NOT MODIFY - 251022-192055\n"
        "! 1 channel(s) not connected - or not all gets were successful\n"
        "ring:Q1.VAL 4.1234567890123\n"
        "ring:Q1.DESC first family, left\n"
        "#ring:Q2.VAL Search Issued\n"
        'ring:WF @array@ { "1" "2" }\n'
        "<END>\n"
    )
    saved = FORMATS["autosave"].parse(text)
    assert saved.values == {"ring:Q1.VAL": "4.1234567890123", "ring:Q1.DESC": "first family, left"}
    assert saved.left_out == {"ring:Q2.VAL": "was not connected: Search Issued", "ring:WF": "an array"}


@pytest.mark.parametrize("name", ["a.sav", "a.savB", "a.txt"])
def test_an_autosave_file_without_its_end_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("# autosave R5.3\tAutomatically generated\nring:Q1 4\n")
    with pytest.raises(SaveFileError, match="<END> is missing"):
        read(path)


def test_a_burt_snapshot() -> None:
    text = (
        "--- Start BURT header\nTime:     Tue Jul  2 08:23:55 2013\nLogin ID: ops (Operator)\nEff  UID: 1001\n"
        "Group ID: 1001\nKeywords:\nComments: injection\nType:     Absolute\nDirectory /home/ops\nReq File: sr.req\n"
        "--- End BURT header\n"
        "% quadrupoles\n"
        "S1A:Q1:CurrentAO 1 3.000000000000000e+02\n"
        "RO S1A:Q1:CurrentAI 1 299.9\n"
        'S1A:MODE 1 "top up"\n'
        "S1A:WF 3 1 2 3\n"
        "S1A:Q2:CurrentAO 1 400.0 1\n"
    )
    saved = FORMATS["burt"].parse(text)
    assert saved.comment == "injection"
    assert saved.values == {
        "S1A:Q1:CurrentAO": "3.000000000000000e+02",
        "S1A:MODE": "top up",
        "S1A:Q2:CurrentAO": "400.0",
    }
    assert saved.left_out == {"S1A:Q1:CurrentAI": "saved for reading only", "S1A:WF": "an array"}


@pytest.mark.parametrize(
    ("form", "text", "why"),
    [
        ("burt", "--- Start BURT header\nTime: x\n", "was cut short"),
        ("burt", "--- Start BURT header\nType:     Relative\n--- End BURT header\n", "type 'Relative'"),
        ("phoebus", "#\nPV,NAME\n", "line 2: 'PV,NAME' does not name the columns PV and VALUE"),
    ],
)
def test_a_file_that_means_something_else_is_refused_with_its_line(form: str, text: str, why: str) -> None:
    with pytest.raises(SaveFileError, match=why):
        FORMATS[form].parse(text)


BURT = "--- Start BURT header\nType:     Absolute\n--- End BURT header\n"


@pytest.mark.parametrize(
    ("form", "text", "line", "why"),
    [
        ("burt", BURT + "Q1 3\nGOOD 1 2\n", 4, "'Q1 3' is not of the form PV count values"),
        ("burt", BURT + "Q1 1\nGOOD 1 2\n", 4, "'Q1 1' is not of the form"),
        ("burt", BURT.replace("Absolute", "") + "GOOD 1 2\n", 2, "the type of the snapshot is empty"),
        ("phoebus", 'PV,VALUE\nQ1,"3\nGOOD,2\n', 2, "is not a row of the table"),
        ("phoebus", "PV,VALUE\n,3\nGOOD,2\n", 2, "',3' does not name a PV"),
        ("phoebus", "PV,VALUE\nQ1,3,4\nGOOD,2\n", 2, "'Q1,3,4' has 3 cells, the table has 2 columns"),
        ("pairs", "#{}\nQ1,{3\nGOOD,2\n", 2, "Q1: '{3' is not a value"),
        ("pairs", "Q1," + "[" * 10_000 + "\nGOOD,2\n", 1, "is not a value"),
        ("pairs", "Q1's twin is off\nGOOD,2\n", 1, "is not of the form PV,value"),
    ],
)
def test_a_line_that_cannot_be_read_is_noted_and_the_rest_is_taken(form: str, text: str, line: int, why: str) -> None:
    assert FORMATS[form].is_format(text)
    saved = FORMATS[form].parse(text)
    assert saved.values == {"GOOD": "2"}
    assert [unread.line for unread in saved.unread] == [line]
    assert why in saved.unread[0].reason


@pytest.mark.parametrize(
    ("form", "line", "name", "value"),
    [
        ("burt", "NAME 1 operator's", "NAME", "operator's"),
        ("burt", r"PATH 1 C:\new\save", "PATH", r"C:\new\save"),
        ("burt", "Q1\t1\t0.5", "Q1", "0.5"),
        ("burt", 'MODE 1 "top up"', "MODE", "top up"),
        ("autosave", "Q1\t0.5", "Q1", "0.5"),
        ("autosave", r"PATH C:\new, it's", "PATH", r"C:\new, it's"),
        ("pairs", "Q1\t0.5", "Q1", "0.5"),
        ("pairs", '"Q1";"0,5"', "Q1", "0.5"),
        ("pairs", "Q1;0,5;A", "Q1", "0.5"),
        ("pairs", "Q1;-1,5e-3", "Q1", "-1.5e-3"),
        ("pairs", '"Q1","0.5"', "Q1", "0.5"),
        ("pairs", "Q1,0,5", "Q1", "0,5"),
    ],
)
def test_a_line_is_read_as_its_program_means_it(form: str, line: str, name: str, value: str) -> None:
    around = {"burt": BURT + "{}\n", "autosave": "{}\n<END>\n", "pairs": "{}\n"}[form]
    saved = FORMATS[form].parse(around.format(line))
    assert saved.values == {name: value}
    assert not saved.unread


@pytest.mark.parametrize(
    "table",
    [
        '"PV","VALUE"\n"Q1","0.5"\n"Q2","-1"\n',
        "PV;SELECTED;VALUE\nQ1;1;0,5\nQ2;1;-1,0e0\n;;\n",
        '"PV";"VALUE"\n"Q1";"0,5"\n"Q2";"-1"\n',
        "# Hierarchy:;;\nPV;VALUE;\nQ1;0.5;\nQ2;-1;;\n",
        "pv\tvalue\nQ1\t0.5\nQ2\t-1\n",
    ],
)
def test_a_table_that_a_spreadsheet_has_written_is_read(table: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(table)
    saved = read(path)
    assert {name: float(text) for name, text in saved.values.items()} == {"Q1": 0.5, "Q2": -1.0}
    assert not saved.unread


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("burt", BURT + "Q1 1 \\0\n"),
        ("burt", BURT + 'Q1 1 ""\n'),
        ("burt", BURT + "Q1 0\n"),
        ("autosave", "Q1\n<END>\n"),
        ("autosave", "#Q1 Search Issued\n<END>\n"),
        ("pairs", "Q1\nQ2,3\n"),
        ("pairs", "Q1,\nQ2,3\n"),
        ("phoebus", "PV,SEVERITY,VALUE\nQ1,INVALID,(Disconnected)\n"),
        ("phoebus", "PV,SEVERITY,VALUE\nQ1,INVALID,0.5\n"),
        ("phoebus", "PV,SEVERITY,VALUE\nQ1,NONE,(Disconnected)\n"),
    ],
)
def test_a_pv_without_a_value_is_left_out_and_missing(form: str, text: str) -> None:
    saved = FORMATS[form].parse(text)
    assert [(left.pv, left.missing) for left in saved.left] == [("Q1", True)]
    assert "Q1" not in saved.values


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1", "utf-16-le with mark", "utf-16-be with mark"]
)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends_of_other_computers(encoding: str, newline: str, tmp_path: Path) -> None:
    text = newline.join(["# autosave R5.3", "# Müller: 5 µm", "Q1 0.5", "Q2 1", "<END>", ""])
    name, _, marked = encoding.partition(" ")
    path = tmp_path / "file.sav"
    path.write_bytes((("\ufeff" if marked else "") + text).encode(name))
    saved = read(path)
    assert saved.values == {"Q1": "0.5", "Q2": "1"}
    assert saved.comment == "Müller: 5 µm"
    assert not saved.left
    assert not saved.unread


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_line_of_latin_1_in_a_file_of_utf_8_spoils_no_other(mark: str, tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_bytes(f"{mark}#é".encode() + b"\n# \x85 \xe9\nQ1,1\n")
    assert read(path).values == {"Q1": "1"}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("Q1,1\n".encode("utf-16-le"), "has zero bytes: UTF-16 without a byte order mark, or not a text"),
        (b"\xff\xfeQ", "cannot be read as UTF-16, as its byte order mark says"),
        (b"Q1,1\n" * (MAX_LINES + 1), "more than 300000 lines"),
        (b"#" * (MAX_BYTES + 1), "larger than 16 MiB"),
    ],
)
def test_a_file_that_is_not_text_or_too_large_is_named(data: bytes, why: str, tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_bytes(data)
    with pytest.raises(SaveFileError, match=why):
        read(path)


def test_a_phoebus_export() -> None:
    text = (
        "# AUTO-GENERATED. DON'T EDIT BELOW IF YOU DON'T KNOW HOW THOSE WORK!\n# Hierarchy:\n# a/b\n"
        "# Snapshot name:\n# s\n# Description:\n# after the shutdown\n# Creator:\n# ops\n"
        "PV,SELECTED,TIMESTAMP,STATUS,SEVERITY,VALUE_TYPE,VALUE,READBACK,READBACK_VALUE,DELTA,READ_ONLY\n"
        'Q1:set,1,1606298123.5,NONE,NONE,double,"0.1","Q1:rdbk","0.2",,0\n'
        'ca://Q2:set,0,1606298123.5,NONE,NONE,double,"0.1",,"---",,0\n'
        'Q3:rdbk,1,1606298123.5,NONE,NONE,double,"0.1",,"---",,1\n'
        'MODE,1,1606298123.5,NONE,NONE,enum,"low~[off;low;high]",,"---",,0\n'
        'WF,1,1606298123.5,NONE,NONE,double_array,"[1.0;2.0]",,"---",,0\n'
        'Q4:set,1,,,,none,"---",,"---",,0\n'
    )
    saved = FORMATS["phoebus"].parse(text)
    assert saved.comment == "after the shutdown"
    assert saved.values == {"Q1:set": "0.1", "MODE": "low"}
    assert saved.left_out == {
        "ca://Q2:set": "not selected",
        "Q3:rdbk": "saved for reading only",
        "WF": "an array",
        "Q4:set": "without a value",
    }


def test_a_snapshot_of_psi() -> None:
    text = (
        '#{"comment": "c", "labels": []}\nQ1:set,0.30000000000000004\nQ2:set,{"val": 1.5, "EGU": "A"}\nWF,[1, 2]\nQ3\n'
    )
    saved = FORMATS["pairs"].parse(text)
    assert saved.comment == "c"
    assert saved.values == {"Q1:set": "0.30000000000000004", "Q2:set": "1.5"}
    assert saved.left_out == {"WF": "an array", "Q3": "without a value"}


def test_a_file_of_an_unknown_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("just some words\n")
    with pytest.raises(SaveFileError, match="not a file of synApps autosave, BURT"):
        read(path)
    path.write_text("SDDS1\n&description &end\n")
    with pytest.raises(SaveFileError, match="an SDDS file"):
        read(path)
    with pytest.raises(SaveFileError, match="cannot be read"):
        read(tmp_path / "none.sav")
    with pytest.raises(SaveFileError, match="cannot be written"):
        write(tmp_path / "no" / "where.sav", [], ABOUT)
    with pytest.raises(SaveFileError, match="cannot be written: Not a directory"):
        write(path / "below_a_file.sav", [], ABOUT)


LINES = st.lists(
    st.one_of(
        st.text(max_size=40),
        st.sampled_from(
            [
                "# autosave R5.3",
                "<END>",
                "--- Start BURT header",
                "--- End BURT header",
                "PV,SELECTED,VALUE,READ_ONLY",
                'Q1,1,"3",0',
                "Q1:set 1 3",
                "RO Q1 1 3",
                "Q1 @array@ {",
                'Q1,{"val": [1]}',
                "#{",
            ]
        ),
    ),
    max_size=8,
)


@pytest.mark.parametrize("form", FORMATS)
@settings(deadline=None)
@given(lines=LINES)
def test_any_text_is_either_read_or_refused(form: str, lines: list[str]) -> None:
    text = "\n".join(lines)
    FORMATS[form].is_format(text)
    try:
        saved = FORMATS[form].parse(text)
    except SaveFileError:
        return
    assert all(isinstance(value, str) for value in saved.values.values())


def test_an_error_that_quotes_the_file_cannot_act_on_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "rogue.snp"
    path.write_text("--- Start BURT header\nType: \x1b[2J\n--- End BURT header\n")
    with pytest.raises(SaveFileError, match=r"type '\\x1b\[2J'"):
        read(path)
