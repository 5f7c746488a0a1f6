"""Proposals of a correction on the terminal: the largest changes, what the full model expects, what was made."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from gnomon.cli.output import aligned_lines, say
from gnomon.cli.results_folder import show_lines
from gnomon.lattice import Lattice
from gnomon.lattice.text import printable
from gnomon.procedures.correcting import Proposal
from gnomon.procedures.documents import Run
from gnomon.procedures.runnable import Watcher
from gnomon.procedures.summaries import summarise

if TYPE_CHECKING:
    from gnomon.recorder.apply import Applied

#: Settings that are shown one by one.
SHOWN = 12


class ShownProposals(Watcher):
    """Shows each proposal of `steps` and what was made, unless it is `quiet`; collects both for --json."""

    def __init__(self, steps: int = 1, *, quiet: bool = False) -> None:
        self.steps, self.quiet = steps, quiet
        self.told: list[dict[str, Any]] = []

    def proposal(self, step: int, present: Lattice, proposal: Proposal, run: Run) -> None:
        """Show a proposal."""
        lines = summarise(run)
        if not self.quiet:
            if self.steps > 1:
                say(f"step {step} of {self.steps}")
            _show(present, proposal)
            show_lines(lines)
        expected = proposal.expectation
        self.told.append(
            {
                "settings": {".".join(key): value for key, value in proposal.settings.items()},
                "expected": {"tune": expected.tune_after, "rms_mm": expected.rms_mm},
                "summary": [each._asdict() for each in lines],
            }
        )

    def applied(self, step: int, made: "Applied", run: Run, file: Path) -> None:
        """Show what was made."""
        self.told[-1] |= {"applied": made.done, "lattice_id": made.lattice_id, "file": str(file)}
        if not self.quiet:
            told = ", ".join(filter(None, (f"{made.done} settings made", made.lattice_id, made.text)))
            say(f"{run.name}: {told}; {file}")


def _show(lattice: Lattice, proposal: Proposal) -> None:
    """Show the largest changes, and what the full model expects."""
    spec_of = lattice.ring.property_spec
    rows = sorted(
        ((*key, lattice[key], value, spec_of(*key)) for key, value in proposal.settings.items()),
        key=lambda row: -abs(row[3] - row[2]) / max(row[4].high - row[4].low, 1e-300),
    )
    cells = [
        [printable(device), f"{old:.8g}", "->", f"{new:.8g} {printable(spec.unit)}"]
        for device, _, old, new, spec in rows[:SHOWN]
    ]
    for line in aligned_lines(cells, [False, True, False, True]):
        typer.echo(line)
    if len(rows) > SHOWN:
        typer.echo(f"and {len(rows) - SHOWN} more")
    expected = proposal.expectation
    if expected.found:
        say(
            f"the full model expects: tunes {expected.tune_before[0]:.5f}, {expected.tune_before[1]:.5f} -> "
            f"{expected.tune_after[0]:.5f}, {expected.tune_after[1]:.5f}; orbit changed by at most "
            f"x {expected.largest_mm[0]:.4f}, y {expected.largest_mm[1]:.4f} mm"
        )
