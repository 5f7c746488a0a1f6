"""Damaged lattice files: the import of each ends, with a document or with our own message."""

import subprocess
import sys
from pathlib import Path

import pytest

from fuzz.lattice_files import cases, corpus, run

pytestmark = pytest.mark.slow  # servers and commands started one by one


def test_damaged_files_of_every_format_end_in_time_with_our_own_message(tmp_path: Path) -> None:
    verdict = run(corpus(tmp_path), seed=15, count=500, folder=tmp_path)
    assert not verdict.faults, verdict.faults
    assert sum(verdict.outcomes.values()) == 500
    imported = sum(count for outcome, count in verdict.outcomes.items() if outcome.endswith("imported"))
    assert 20 < imported < 480, verdict.outcomes


@pytest.mark.timeout(600)
def test_a_damaged_file_of_each_format_through_the_command(tmp_path: Path) -> None:
    samples = corpus(tmp_path)
    damaged = dict(reversed(list(cases(samples, seed=16, count=400))))
    assert damaged.keys() == {sample.format for sample in samples}
    for format, content in damaged.items():
        file = tmp_path / f"damaged.{format}"
        file.write_bytes(content)
        command = [sys.executable, "-c", "from gnomon.cli import main; main()", "machine", "import", str(file)]
        given = [
            "--format",
            format,
            "--energy-ev",
            "1.7e9",
            "--harmonic-number",
            "80",
            "-o",
            str(tmp_path / "out.json"),
        ]
        done = subprocess.run([*command, *given], capture_output=True, text=True, timeout=90, check=False)
        assert done.returncode in (0, 1), done.stderr
        assert "Traceback" not in done.stderr
        assert done.returncode == 0 or done.stderr.startswith("gnomon: "), done.stderr
