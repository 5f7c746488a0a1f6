"""Compiling kernels: nothing when they are cached, and a line or a bar otherwise."""

import io
from typing import Any

import pytest
from rich.console import Console

from gnomon import propagator
from gnomon.cli import compile_kernels
from gnomon.cli.compile_kernels import compile_studies_with_progress, compile_with_progress
from gnomon.lattice import Ring, parse_machine
from gnomon.propagator import studies
from unit.lattice.small_ring import text


class Kernels:
    """Kernels that may be cached; `compiled` is what was asked for."""

    def __init__(self, cached: bool) -> None:
        self.cached = cached
        self.compiled: list[tuple[Any, ...]] = []

    def compile(self, *arguments: Any) -> None:
        *rest, step = arguments
        self.compiled.append(tuple(rest))
        step("orbit", 1, 3)
        step("optics", 3, 3)


@pytest.fixture(params=[False, True], ids=["missing", "cached"])
def kernels(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Kernels:
    made = Kernels(request.param)
    for package, kind in ((propagator, "kernels"), (studies, "study_kernels")):
        monkeypatch.setattr(package, f"{kind}_are_cached", lambda: made.cached, raising=False)
        monkeypatch.setattr(package, f"compile_{kind}", made.compile, raising=False)
    return made


def console(terminal: bool = False) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=100)


def said(shown: Console) -> str:
    assert isinstance(shown.file, io.StringIO)
    return shown.file.getvalue()


def test_kernels_are_compiled_once_and_a_pipe_gets_one_line(kernels: Kernels) -> None:
    shown = console()
    compile_with_progress(shown)
    assert kernels.compiled == ([] if kernels.cached else [()])
    lines = said(shown).split("\n")
    assert [line for line in lines if line.strip()] == (
        [] if kernels.cached else ["compiling kernels, only this once; this takes up to a minute"]
    )


def test_studies_compile_for_their_ring(kernels: Kernels) -> None:
    ring = Ring(parse_machine(text(), "ring.json"))
    shown = console()
    compile_studies_with_progress(shown, ring)
    assert kernels.compiled == ([] if kernels.cached else [(), (ring,)])
    assert said(shown).count("only this once") == (0 if kernels.cached else 1)


def test_a_terminal_gets_a_bar_with_the_kernel_s_name(kernels: Kernels) -> None:
    shown = console(terminal=True)
    compile_with_progress(shown)
    assert ("optics" in said(shown)) is not kernels.cached
    assert "only this once" not in said(shown)


@pytest.mark.slow(5)
def test_two_processes_compile_all_and_the_bar_ends_when_they_have(monkeypatch: pytest.MonkeyPatch) -> None:
    """With all machine code at hand, since it would take too long otherwise."""
    marked: list[bool] = []
    for package, kind in ((propagator, "kernels"), (studies, "study_kernels")):
        monkeypatch.setattr(package, f"{kind}_are_cached", lambda: False)
    monkeypatch.setattr(studies, "mark_study_kernels_cached", lambda: marked.append(True))
    shown: list[tuple[int, int]] = []
    monkeypatch.setattr(compile_kernels, "_show", lambda _, work: work(lambda name, done, of: shown.append((done, of))))
    compile_kernels.compile_all_with_progress(console())
    assert shown[-1] == (compile_kernels.STEPS, compile_kernels.STEPS)
    assert sorted(shown) == shown
    assert marked == [True]
