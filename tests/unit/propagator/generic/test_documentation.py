"""The examples on the page about the propagator can be typed."""

import re
from pathlib import Path
from typing import Any

import pytest
import sympy

PAGE = Path(__file__).parents[4] / "docs" / "explanations" / "propagator.md"


def test_the_pages_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    numbers, generated, symbols = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {}
    exec(numbers, names)
    assert len(names["orbit"].x) > 10
    assert names["turn"].chromaticity() == pytest.approx([1.2673601, 2.8036173], abs=1e-3)
    exec(generated, {})
    assert f"```text\n{capsys.readouterr().out.strip()}\n```" in page
    exec(symbols, names)
    L, f = sympy.symbols("L f", positive=True)
    matrix = names["matrix"]
    assert sympy.expand(matrix[0, 0] + matrix[1, 1] - 2 + L**2 / f**2) == 0
