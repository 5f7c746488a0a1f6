"""The options of an import reach the reader, whatever command has them."""

from pathlib import Path

import pytest

from gnomon.cli.import_options import ImportChoice
from gnomon.lattice.exchange import ExchangeError
from unit.cli.test_init import lattice

pytestmark = pytest.mark.usefixtures("reads_here")


def test_a_choice_reads_the_file_as_its_options_say(tmp_path: Path) -> None:
    file = lattice(tmp_path)
    imported = ImportChoice(use="ring", energy_ev=6e8).read(file, "mine", bare=True)
    assert (imported.document["name"], imported.document["energy_ev"]) == ("mine", 6e8)
    assert imported.document["supplies"] == []
    cell = ImportChoice(use="cell", energy_ev=6e8, harmonic_number=1).read(file, None)
    assert cell.document["supplies"] != []


def test_a_format_that_is_given_overrules_the_name(tmp_path: Path) -> None:
    with pytest.raises(ExchangeError, match="LatticeJSON"):
        ImportChoice(format="lattice-json").read(lattice(tmp_path), None)
