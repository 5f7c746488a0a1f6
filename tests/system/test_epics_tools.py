"""EPICS's own command line tools on a whole server: what they print is what an IOC lets them print."""

from collections.abc import Iterator

import pytest
from conftest import EpicsPorts, free_port
from epics_tools import run

from system.twin_process import TwinProcess

pytestmark = pytest.mark.slow  # servers and commands started one by one

STEERER = "T:HS4P1D1R:set"
#: Plain puts, each read on the same circuit behind it.
PUTS = 100


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinProcess]:
    ports = EpicsPorts(free_port(), free_port(), free_port())
    with TwinProcess(ports.environment, tmp_path_factory.mktemp("tools"), "--prefix", "T:") as process:
        yield process


def said(twin: TwinProcess, tool: str, *arguments: str) -> str:
    output, complaint = run(tool, *arguments, environment=twin.environment)
    assert output or not complaint, complaint
    return output


def test_plain_caput_prints_the_new_value_each_time(twin: TwinProcess) -> None:
    for number in range(1, PUTS + 1):
        new = said(twin, "caput", STEERER, f"{number / 1000}").splitlines()[-1]
        assert new.split() == ["New", ":", STEERER, f"{number / 1000:g}"]


def test_caput_of_pythons_spelling_of_numbers_is_refused_with_the_reason(twin: TwinProcess) -> None:
    said(twin, "caput", STEERER, "0.2")
    output, complaint = run("caput", "-s", STEERER, "1_0", environment=twin.environment)
    assert output.splitlines()[-1].split()[-1] == "0.2"
    assert "'1_0' is not a single number" in complaint


def test_caget_of_parts_of_an_array_prints_as_many_numbers(twin: TwinProcess) -> None:
    assert len(said(twin, "caget", "T:beam:orbit:x.VAL[3]").split()) == 2
    assert said(twin, "caget", "T:beam:orbit:x.VAL[0:3]").split()[1] == "4"
    # What the tool says of an IOC's empty part, too.
    assert "Invalid element count requested" in said(twin, "caget", "T:beam:orbit:x.VAL[5000]")


def test_caget_of_a_large_number_as_text(twin: TwinProcess) -> None:
    number = float(said(twin, "caget", "-t", "-g17", "T:MCLKHX251C:freq").split()[0])
    text = said(twin, "caget", "-t", "-s", "T:MCLKHX251C:freq").split()[0]
    assert "e" not in text
    assert float(text) == pytest.approx(number, abs=0.5)


def test_common_fields_are_found_at_once(twin: TwinProcess) -> None:
    names = ["PROC", "SCAN", "TIME", "AMSG", "UTAG", "DISP", "DTYP", "ASG", "FLNK", "PINI", "OUT"]
    lines = said(twin, "caget", *(f"{STEERER}.{name}" for name in names)).splitlines()
    values = {line.split()[0].rpartition(".")[2]: " ".join(line.split()[1:]) for line in lines}
    time, tag = values.pop("TIME"), values.pop("UTAG")
    assert time.startswith("20")
    assert float(tag) >= 0
    assert values == {
        "PROC": "0", "SCAN": "Passive", "AMSG": "", "DISP": "0", "DTYP": "Soft Channel", "ASG": "", "FLNK": "",
        "PINI": "NO", "OUT": "",
    }  # fmt: skip
    assert said(twin, "caput", f"{STEERER}.PROC", "1").splitlines()[-1].split()[-1] == "0"


@pytest.mark.parametrize(("field", "value"), [
    ("DESC", None), ("VAL", None), ("EGU", "A"), ("RTYP", "ao"), ("NAME", STEERER), ("DRVH", "10"), ("HIHI", None),
    ("HSV", "(1) MINOR"), ("SEVR", "(0) NO_ALARM"), ("ADEL", "-1"), ("MDEL", "-1"), ("PREC", None),
])  # fmt: skip
def test_pvget_of_a_field(twin: TwinProcess, field: str, value: str | None) -> None:
    for _ in range(3):  # pvget itself writes <NULL> for the name once in a thousand times
        output = said(twin, "pvget", f"{STEERER}.{field}")
        if not output.startswith("<NULL>"):
            break
    assert output.startswith(f"{STEERER}.{field} ")
    if value is not None:
        assert output.rstrip().endswith(value)


def test_pvget_of_a_part_of_an_array(twin: TwinProcess) -> None:
    whole = said(twin, "pvget", "T:beam:orbit:x.VAL[0:3]").split("[", 2)[-1]
    assert whole.count(",") == 3


def test_pvput_to_val_is_a_put(twin: TwinProcess) -> None:
    said(twin, "pvput", f"{STEERER}.VAL", "0.3")
    assert said(twin, "caget", "-t", STEERER).split() == ["0.3"]


def test_pvlist_lists_what_is_served(twin: TwinProcess) -> None:
    names = said(twin, "pvlist", f"127.0.0.1:{twin.environment['EPICS_PVA_SERVER_PORT']}").split()
    assert {STEERER, "T:dt:set", "T:beam:orbit:x"} <= set(names)
    assert not any("doorbell" in name for name in names)


def test_a_refusal_shows_value_and_limit_apart(twin: TwinProcess) -> None:
    _, complaint = run("caput", STEERER, "10.0000000000001", environment=twin.environment)
    assert "10.0000000000001 A: outside the drive limits -10 to 10 A" in complaint


def test_a_text_put_to_a_long_name_is_its_characters(twin: TwinProcess) -> None:
    save = "T:dt:orbit:ref:save"
    said(twin, "caput", "-S", f"{save}.VAL$", "L")
    assert said(twin, "caget", "-t", save).split() == ["L"]
    _, complaint = run("caput", "-S", f"{save}.VAL$", "", environment=twin.environment)
    assert "an empty text" in complaint
    assert said(twin, "caget", "-t", save).split() == ["L"]
