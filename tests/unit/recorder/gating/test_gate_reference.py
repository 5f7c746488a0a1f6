"""The page about the gate has every reason code with its remedy."""

from gnomon.recorder.gating import Code
from tools.gate_reference import PAGE, render


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run: python -m tests.tools.gate_reference"


def test_every_code_is_on_the_page_and_what_the_gate_is_not() -> None:
    text = render()
    assert all(f"| `{code.value}` |" in text for code in Code)
    assert "not machine protection" in text
