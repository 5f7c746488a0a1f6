"""Options of a question to the catalogue, and its entries as rows and lines."""

import pytest
import typer

from gnomon.cli.catalogue_options import COLUMNS, make_query, row_of, show_entry
from gnomon.services.catalogue import CatalogueEntry

ENTRY = CatalogueEntry(
    identifier=f"gnomon:recording/{'ab' * 32}", kind="recording", name="bump one", made="2026-11-27T10:15:00Z",
    machine="mls", tags=("golden", "week 48"), file="/a/bump.json",
)  # fmt: skip


def test_options_become_the_question_with_times_in_microseconds() -> None:
    query = make_query(kind="recording", who="anna", since="2026-11-27T00:00:00Z", count=3)
    assert (query.kind, query.user, query.count, query.until_us) == ("recording", "anna", 3, None)
    assert query.since_us == 1_795_737_600_000_000
    with pytest.raises(typer.BadParameter, match="use result, study, recording"):
        make_query(kind="orm")


def test_a_row_has_an_identifier_short_enough_for_a_line_and_all_fields_for_json() -> None:
    row = row_of(ENTRY)
    assert [row[column] for column in COLUMNS][:3] == ["recording/abababababab", "bump one", "2026-11-27 10:15"]
    assert row["all tags"] == "golden week 48"
    assert row["identifier"] == ENTRY.identifier


def test_an_entry_leads_to_the_command_that_shows_more(capsys: pytest.CaptureFixture[str]) -> None:
    show_entry(ENTRY)
    shown = capsys.readouterr().out
    assert "gnomon record show 'bump one'" in shown
    assert "optics" not in shown
