"""Requested faults: checked before a server sees them, and its answers as documents; for HTTP and MQTT."""

from typing import Any

from gnomon.services.problems import ProblemError
from gnomon.services.running_documents import FaultAnswer, FaultList, NewFault

#: Number of keys of a fault, and length of one, that are sent on to a server, which knows better.
MAX_KEYS, MAX_KEY = 50, 500
ADVICE = "GET /v1/faults/kinds lists the keys of each kind"


def check_fault(new: NewFault) -> None:
    """Refuse keys that cannot be texts, numbers, or true and false. Raises ProblemError."""
    if len(new.keys) > MAX_KEYS or {"do", "kind"} & new.keys.keys():
        raise ProblemError(
            422,
            "these are not keys of a fault",
            field="keys",
            action=ADVICE,
        )
    for name, value in new.keys.items():
        plain = value is None or isinstance(value, bool | int | float | str)
        if not (name.isidentifier() and len(name) <= MAX_KEY and plain and len(str(value)) <= MAX_KEY):
            raise ProblemError(
                422,
                f"{name}: it must be a number, a text, true or false, of at most {MAX_KEY} characters",
                field=f"keys.{name}"[:200],
                action=ADVICE,
            )


def fault_list(faults: list[dict[str, Any]]) -> FaultList:
    """Make the answer of faults that a server told."""
    return FaultList(faults=[fault_answer(fault) for fault in faults])


def fault_answer(told: dict[str, Any]) -> FaultAnswer:
    """Sort what a server tells about a fault: a table has the keys of all kinds, empty where they are not given."""
    known = {name: value for name, value in told.items() if name in FaultAnswer.model_fields}
    keys = {name: value for name, value in told.items() if name not in known and value not in (None, "")}
    return FaultAnswer.model_validate({"text": "", **known, "keys": keys})
