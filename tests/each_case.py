"""A cheap check of many cases as one test: pytest and xdist take longer for an item than such a check does."""

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any


def each_case(
    cases: Iterable[Any], name: Callable[[Any], object] = str
) -> Callable[[Callable[..., None]], Callable[[], None]]:
    """Make one test of a check without fixtures: it goes through all cases, and tells all that fail by their names.

    A case that is a tuple has the arguments. For lists that are made from the code or the documents: the test fails if
    there is no case.
    """
    listed = list(cases)

    def decorate(check: Callable[..., None]) -> Callable[[], None]:
        @functools.wraps(check)
        def test() -> None:
            assert listed, f"{check.__name__}: no case"
            failed: list[str] = []
            failures: list[Exception] = []
            for case in listed:
                try:
                    check(*(case if type(case) is tuple else (case,)))
                except Exception as failure:  # noqa: BLE001 - told with the others
                    failed.append(str(name(case)))
                    failures.append(failure)
            if failures:
                raise ExceptionGroup(f"{len(failed)} of {len(listed)} cases: {'; '.join(failed)}", failures)

        vars(test)["__signature__"] = inspect.Signature()  # pytest would look for fixtures of the check's arguments
        return test

    return decorate
