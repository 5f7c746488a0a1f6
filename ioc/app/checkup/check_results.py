"""The result of a check: the thing that was looked at, its state, and what to do."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """State of a thing; with an error the server does not start, or does not do its work."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `advice` is empty when it is well."""

    check: str
    state: State
    detail: str
    advice: str = ""


def good(check: str, detail: str) -> Finding:
    """All is well."""
    return Finding(check, State.OK, detail)


def warning(check: str, detail: str, advice: str) -> Finding:
    """It works, and should be looked at."""
    return Finding(check, State.WARNING, detail, advice)


def error(check: str, detail: str, advice: str) -> Finding:
    """It does not work."""
    return Finding(check, State.ERROR, detail, advice)
