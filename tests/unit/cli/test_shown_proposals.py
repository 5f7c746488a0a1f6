"""Proposals and rows on the terminal: the largest changes first, an expectation, rows as they come."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest

from gnomon.cli.live_rows import live_rows
from gnomon.cli.shown_proposals import ShownProposals
from gnomon.db import shipped_machine
from gnomon.procedures.correcting import propose_bump
from gnomon.procedures.documents import Run
from gnomon.procedures.plans import MeasuredRow
from gnomon.recorder.apply import Applied


@pytest.mark.parametrize("as_json", [False, True])
def test_a_proposal_is_shown_and_told_with_what_was_made(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    nominal = shipped_machine("bessy2").nominal
    proposal = propose_bump(nominal, "BPMZ5D1R", "y", {"position": 0.2}, 4)
    run = Run(
        name="bump-1", procedure="bump", data=proposal.data.model_dump(), parameters=proposal.parameters.model_dump(),
        outcome=proposal.outcome.model_dump(),
    )  # fmt: skip
    shown = ShownProposals(quiet=as_json)
    shown.proposal(1, nominal, proposal, run)
    shown.applied(1, Applied(4, "abc"), run, Path("bump-1.h5"))
    (told,) = shown.told
    assert len(told["settings"]) == 4
    assert (told["applied"], told["lattice_id"], told["file"]) == (4, "abc", "bump-1.h5")
    printed = capsys.readouterr().out
    assert printed == "" if as_json else "the full model expects: tunes" in printed
    assert as_json or "bump-1: 4 settings made, abc; bump-1.h5" in printed


def test_rows_are_shown_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    row = MeasuredRow({"HS1": 0.25}, 0, {"x": np.array([3.0, 4.0]), "y": np.zeros(2)}, 0.1)
    for kind, shown in ((Terminal, True), (io.StringIO, False)):
        monkeypatch.setattr(sys, "stderr", stream := kind())
        with live_rows("orm", quiet=False) as watcher:
            watcher.row(row, 3)
        assert ("HS1 0.25" in stream.getvalue()) == shown
