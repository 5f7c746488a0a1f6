"""The player of tutorials: it reads pages, sees what differs, and writes what was printed; pictures and tables hold."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from gnomon.ioc.base.config import Config
from gnomon.ioc.base.machines import find_machine, pvs_of
from tools.tutorials.comparison import same_line, same_output
from tools.tutorials.pages import Command, Picture, read_page, with_outputs
from tools.tutorials.pictures import without_fonts
from tools.tutorials.play import play
from tools.tutorials.terminal import is_running, programs_here

DOCS = Path(__file__).parents[2] / "docs"
TUTORIALS = DOCS / "tutorials"

PAGE = """# A page

<!-- play: mkdir made -->
```console
$ ls
made
$ printf '1\\n2\\n3\\n4\\n'
1
...
4
```

```sh
$ never played
```
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    file = tmp_path / "page.md"
    file.write_text(PAGE)
    return file


def test_a_page_is_read_in_order_with_the_output_that_it_shows(page: Path) -> None:
    commands = [step for step in read_page(page) if isinstance(step, Command)]
    assert [(c.text, c.shown, c.hidden) for c in commands] == [
        ("mkdir made", (), True),
        ("ls", ("made",), False),
        ("printf '1\\n2\\n3\\n4\\n'", ("1", "...", "4"), False),
    ]


def test_a_page_that_is_right_has_no_differences(page: Path) -> None:
    assert play(page, programs_here()) == []


def test_a_difference_is_found_and_written_with_as_much_left_out(page: Path) -> None:
    page.write_text(PAGE.replace("\nmade\n", "\nother\n").replace("\n4\n```", "\n5\n```"))
    assert [found.real for found in play(page, programs_here())] == [("made",), ("1", "2", "3", "4")]
    play(page, programs_here(), write=True)
    assert page.read_text() == PAGE


def test_a_hidden_command_that_fails_is_an_error(page: Path) -> None:
    page.write_text(PAGE.replace("mkdir made", "mkdir no/such/folder"))
    with pytest.raises(RuntimeError, match="exit code 1"):
        play(page, programs_here())


def test_a_background_command_ends_with_the_page_and_ctrl_c_is_pressed_where_the_page_says_so(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text(
        "```console\n$ sh -c 'echo ready; echo $$ > pid; sleep 300' &\nready\n"
        "$ sh -c 'trap \"echo stopped; exit\" INT; echo one; while :; do sleep 0.1; done'\none\n^C\nstopped\n"
        "$ cp pid $TUTORIALS/pid\n```\n"
    )
    assert [str(difference) for difference in play(file, programs_here())] == []
    # Whoever inherits the ended shell may leave it as a zombie, so that its number can still be taken.
    assert not is_running(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize(
    ("shown", "real"),
    [
        ("at 2026-11-27 03:47:03.183", "at 2027-01-02 13:00:00.001"),
        ("5  vm@localhost  0.1  A", "5  somebody@elsewhere.org     0.1 A"),
        ("tune 0.845724927", "tune 0.845724926"),
        ("took 4.16 ms", "took 14 ms"),
        ("lattice ... done", "lattice 01c481ab and more done"),
        ("stops ...", "stops"),
    ],
)
def test_lines_that_differ_only_from_run_to_run_are_equal(shown: str, real: str) -> None:
    assert same_line(shown, real)


@pytest.mark.parametrize(
    ("shown", "real"),
    [("0.1 A", "0.2 A"), ("218.4", "218.5"), ("applied", "rejected"), ("a b", "a"), ("... done", "not yet")],
)
def test_lines_that_would_mislead_a_reader_differ(shown: str, real: str) -> None:
    assert not same_line(shown, real)


def test_lines_left_out_may_be_any_number_but_the_others_must_be_there() -> None:
    assert same_output(["a", "...", "d"], ["a", "b", "c", "d"])
    assert same_output(["...", "d"], ["d"])
    assert not same_output(["a", "...", "d"], ["a", "b"])
    assert not same_output(["a"], ["a", "b"])


def test_outputs_of_several_commands_find_their_places(page: Path) -> None:
    commands = [step for step in read_page(page) if isinstance(step, Command)]
    text = with_outputs(PAGE, [(commands[1], ["x", "y"]), (commands[2], ["1", "2", "3", "9"])])
    assert text == PAGE.replace("\nmade\n", "\nx\ny\n").replace("\n4\n```", "\n9\n```")


def test_pictures_are_there_need_nothing_from_elsewhere_and_each_has_its_command() -> None:
    wanted = {step.file for page in TUTORIALS.glob("*.md") for step in read_page(page) if isinstance(step, Picture)}
    assert wanted == set((TUTORIALS / "pictures").glob("*.svg")), "run: make tutorials"
    for file in wanted:
        text = file.read_text(encoding="utf-8")
        ET.fromstring(text)
        assert text == without_fonts(text)
        assert "url(http" not in text
        assert file.stat().st_size < 200_000


ROW = re.compile(r"^\| ([^|]+) \| `([^`]+)` \| `([^`]+)` \| ([^|]*) \| ([^|]+) \|$", re.MULTILINE)


def test_the_twenty_useful_pvs_are_served_with_these_units() -> None:
    rows = ROW.findall((DOCS / "reference" / "useful_pvs.md").read_text(encoding="utf-8"))
    assert len(rows) == 20
    for column, machine in enumerate(("bessy2", "mls"), start=1):
        units = {spec.name: spec.unit for spec in pvs_of(find_machine(Config(machine=machine)), "")}
        assert {row[column]: row[3].strip() for row in rows} == {row[column]: units.get(row[column]) for row in rows}
