"""`gnomon machine import` and `export`, as a user types them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gnomon.cli import app
from gnomon.lattice.exchange import RefusedLattice
from unit.lattice import small_ring

pytestmark = pytest.mark.usefixtures("reads_here")

RING = """beam, particle=electron, energy=1.7;
qf: quadrupole, l=0.3, k1=1.9;
qd: quadrupole, l=0.3, k1=-1.8;
b: sbend, l=1.1, angle=twopi/16, e1=0.1, e2=0.09;
m: monitor;
w: {strange};
d: drift, l=0.6;
cav: rfcavity, l=0.3, volt=0.5, freq=499.7;
cell: line=(qf, d, b, m, d, qd, d, b, d);
ring: line=(8*cell, w, cav);
"""


def run(*arguments: object) -> Result:
    """The outcome of a command."""
    return CliRunner().invoke(app, [str(a) for a in arguments], env={"TERM": "dumb", "COLUMNS": "200"})


def test_a_ring_is_imported_checked_and_exported(tmp_path: Path) -> None:
    source, document, back = tmp_path / "ring.seq", tmp_path / "ring.json", tmp_path / "back.json"
    source.write_text(RING.format(strange="marker"))
    result = run("machine", "import", source, "--format", "madx", "-o", document, "--name", "mine")
    assert result.exit_code == 0, result.output
    assert "74 elements, 16 supplies, 8 monitors" in result.output
    checked = run("machine", "check", document)
    assert "valid; 74 elements" in checked.output
    assert "tunes" in checked.output
    exported = run("machine", "export", document, "--format", "at-json", "-o", back)
    assert exported.exit_code == 0, exported.output
    assert back.exists()


def test_an_element_without_counterpart_fails_the_import_until_it_is_dropped_by_name(tmp_path: Path) -> None:
    source, document = tmp_path / "ring.seq", tmp_path / "ring.json"
    source.write_text(RING.format(strange="solenoid, l=0.2, ks=0.1"))
    result = run("machine", "import", source, "--format", "madx", "-o", document)
    assert result.exit_code == 1
    assert isinstance(result.exception, RefusedLattice)
    assert "1 solenoid ks: acts on the beam and has no counterpart here: w (line 6)" in str(result.exception)
    assert not document.exists()
    result = run("machine", "import", source, "--format", "madx", "-o", document, "--drop", "W")
    assert result.exit_code == 0, result.output
    assert "left out, alters the beam:\n  1 solenoid" in result.output


def test_texts_of_somebody_elses_document_are_shown_and_act_on_nothing(tmp_path: Path) -> None:
    content = json.loads(small_ring.text())
    content |= {"title": "\x1b[2J[/]title", "source": "[red]source\x07", "notes": ["\x1b]0;note[/bold]"]}
    document = tmp_path / "ring.json"
    document.write_text(json.dumps(content))
    result = run("machine", "show", document)
    assert result.exit_code == 0, result.output
    assert "\\x1b[2J[/]title" in result.output
    assert "[red]source\\x07" in result.output
    assert "\\x1b]0;note[/bold]" in result.output


@pytest.mark.parametrize("command", ["import", "export"])
def test_help_has_an_example(command: str) -> None:
    result = run("machine", command, "--help")
    assert result.exit_code == 0
    assert f"gnomon machine {command}" in result.output
