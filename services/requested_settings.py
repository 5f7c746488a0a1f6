"""Requested settings: checked, made as one command of a running server, and answered; for HTTP and MQTT."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from gnomon.clients.epics_client import EpicsClient
from gnomon.clients.errors import RefusedError
from gnomon.clients.reading import Reading
from gnomon.services.problems import ProblemError
from gnomon.services.running_documents import MadeSettings, NewSettings


def asked_values(asked: NewSettings) -> dict[str, float | str]:
    """Return the requested values by PV. Raises ProblemError (422)."""
    values: dict[str, float | str] = {}
    for number, setting in enumerate(asked.settings):
        place = f"settings[{number}]"
        given = setting.value if setting.value is not None else setting.state
        if given is None or (setting.value is not None and setting.state is not None):
            raise ProblemError(422, f"{setting.pv}: give a value or a state", field=place, action="give one of the two")
        if setting.pv in values:
            raise ProblemError(422, f"{setting.pv} is given twice", field=place, action="give each PV once")
        values[setting.pv] = given
    return values


def make_settings_of(client: EpicsClient, values: Mapping[str, float | str], note: str) -> MadeSettings:
    """Send settings as one command; answer with the PVs before and after. Raises ProblemError, ClientError."""
    names = [client.full_name(name) for name in values]
    if patterns := [name for name in names if any(character in name for character in "*?[")]:
        raise ProblemError(422, f"{patterns[0]} is a pattern", field="settings", action="name each PV")
    old = client.get(*names)
    try:
        answer = client.set(values, note)
    except RefusedError as error:
        if (problem := _outside(old, list(values.values()), error)) is not None:
            raise problem from error
        raise
    made: list[dict[str, Any]] = [
        {"old": before.to_json(), "new": after.to_json()} for before, after in zip(old, client.get(*names), strict=True)
    ]
    return MadeSettings.model_validate(
        {
            "sequence": answer["sequence"],
            "lattice": answer["lattice_id"],
            "settings": made,
            "attention": client.read_trouble(),
        }
    )


def _outside(present: Sequence[Reading], values: Sequence[float | str], error: RefusedError) -> ProblemError | None:
    """Say which value of a refused command is outside its limits; None if all are within."""
    for number, (reading, value) in enumerate(zip(present, values, strict=True)):
        low, high = reading.limits or (-math.inf, math.inf)
        if isinstance(value, float) and not low <= value <= high:
            return ProblemError(
                422,
                str(error),
                field=f"settings[{number}].value",
                value=value,
                unit=reading.unit or "1",
                limit=f"{low:g} to {high:g}",
                action="give a value within the limit",
            )
    return None
