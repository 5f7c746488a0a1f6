"""Studies that compute nothing."""

from collections.abc import Callable
from typing import Any

import pytest

from gnomon.lattice import Lattice
from gnomon.propagator.studies.result_files import StudyResult
from unit.cli.study.made_up import ORM, TUNE, Asked


@pytest.fixture
def no_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gnomon.cli.compile_kernels.compile_studies_with_progress", lambda *_: None)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, no_kernels: None) -> list[Asked]:
    """Calls of the studies, which answer with made up results."""
    calls: list[Asked] = []

    def fake(answer: StudyResult) -> Callable[..., StudyResult]:
        def study(lattice: Lattice, origin: str, say: object, **options: Any) -> StudyResult:
            calls.append(Asked(lattice.ring.name, origin, options))
            return answer

        return study

    monkeypatch.setattr("gnomon.propagator.studies.study_tune", fake(TUNE))
    monkeypatch.setattr("gnomon.propagator.studies.study_orm", fake(ORM))
    return calls
