"""Answers are those of the OpenAPI document, whatever is asked, with either token."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from unit.services.conftest import READ, application
from unit.services.served_twin import served_twin

EVERY_REQUEST = Path(__file__).with_name("every_request.py")


@pytest.mark.slow(40)
def test_answers_are_those_of_the_document() -> None:
    """In a session of its own: see there."""
    options = ("-q", "-o", "addopts=--import-mode=importlib", "-p", "no:cacheprovider", "-p", "no:dash")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(EVERY_REQUEST)],
        capture_output=True, text=True, check=False, cwd=EVERY_REQUEST.parents[3],
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]


@pytest.mark.slow(4)
def test_answers_to_the_read_only_token_are_those_of_the_document(tmp_path: Path) -> None:
    """All that it may ask for, with a few random requests each; `test_web_app` walks through all routes."""
    # Loading it takes longer than most tests.
    import schemathesis
    from schemathesis.core.result import Ok

    from unit.services.requests import check, make_lattice

    asked = 0
    with served_twin(tmp_path) as twin:
        app = application(tmp_path, twin.config)
        lattice = asyncio.run(make_lattice(app))
        api = schemathesis.openapi.from_asgi("/openapi.json", app).include(method="GET")
        operations = [found.ok() for found in api.get_all_operations() if isinstance(found, Ok)]
        assert len(operations) == sum("get" in methods for methods in app.openapi()["paths"].values()) > 20
        for operation in operations:

            @given(operation.as_strategy())
            @settings(max_examples=2, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
            def ask(case: schemathesis.Case) -> None:
                nonlocal asked
                asked += 1
                check(case, lattice, READ)

            ask()
    assert asked >= len(operations)
