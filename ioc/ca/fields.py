"""The fields of a record that clients ask for by name: DESC, EGU, limits, alarm."""

from collections.abc import Callable
from typing import Any

from caproto import AccessRights, ChannelData, ChannelDouble, ChannelEnum, ChannelInteger, ChannelString

from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.bank import Bank, Severity, Status
from gnomon.ioc.ca.channels import limits

SEVERITIES = ("NO_ALARM", "MINOR", "MAJOR", "INVALID")
#: Names of EPICS's alarm conditions, by number.
STATUSES = (
    "NO_ALARM", "READ", "WRITE", "HIHI", "HIGH", "LOLO", "LOW", "STATE", "COS", "COMM", "TIMEOUT",
    "HWLIMIT", "CALC", "SCAN", "LINK", "SOFT",
)  # fmt: skip

LIMIT_FIELDS = {
    "LOPR": "lower_disp_limit",
    "HOPR": "upper_disp_limit",
    "DRVL": "lower_ctrl_limit",
    "DRVH": "upper_ctrl_limit",
    "LOLO": "lower_alarm_limit",
    "LOW": "lower_warning_limit",
    "HIGH": "upper_warning_limit",
    "HIHI": "upper_alarm_limit",
}


class FieldChannel(ChannelData):
    """A field that is read through to the bank; mixed into caproto's classes. Nobody may write it."""

    bank: Bank
    fetch: Callable[[], Any]

    async def _read(self, data_type: Any) -> Any:
        self._data["value"] = self.fetch()
        return await super()._read(data_type)

    def check_access(self, hostname: str, username: str) -> AccessRights:
        """Fields are read-only."""
        return AccessRights.READ

    async def auth_write(self, *args: Any, **keywords: Any) -> Any:
        """Refuse: a well-behaved client does not even try."""
        from gnomon.ioc.ca.channels import PUT_FAILED

        return PUT_FAILED


class TextField(FieldChannel, ChannelString):
    """A field of text."""


class NumberField(FieldChannel, ChannelDouble):
    """A field that is a number."""


class CountField(FieldChannel, ChannelInteger):
    """A field that is a whole number."""


class ChoiceField(FieldChannel, ChannelEnum):
    """A field that is one of a few names."""


def field(bank: Bank, index: int, name: str) -> FieldChannel:
    """The channel of one field of a PV. Raises KeyError when its record has no such field."""
    spec = bank.specs[index]
    made: FieldChannel
    match name:
        case "DESC":
            made = _text(spec.description)
        case "NAME":
            made = _text(spec.name)
        case "RTYP":
            made = _text(spec.record_type)
        case "EGU" if spec.kind in (Kind.FLOAT, Kind.FLOATS, Kind.INT, Kind.INTS):
            made = _text(spec.unit)
        case "PREC" if spec.kind in (Kind.FLOAT, Kind.FLOATS):
            made = CountField(value=spec.precision)
            made.fetch = lambda: spec.precision
        case "SEVR":
            made = ChoiceField(value=0, enum_strings=SEVERITIES)
            made.fetch = lambda: int(bank.severity[index])
        case "STAT":
            made = ChoiceField(value=0, enum_strings=STATUSES)
            made.fetch = lambda: _status(bank, index)
        case _ if name in LIMIT_FIELDS and spec.kind in (Kind.FLOAT, Kind.INT):
            made = NumberField(value=0.0, units=spec.unit, precision=spec.precision)
            value = _limit(spec, name)
            made.fetch = lambda: value
        case _:
            raise KeyError(f"{spec.name}.{name}")
    made.bank = bank
    return made


def _text(value: str) -> FieldChannel:
    made = TextField(value="", long_string_max_length=max(len(value) + 1, 40))
    made.fetch = lambda: value
    return made


def _limit(spec: PvSpec, name: str) -> float:
    return limits(spec)[LIMIT_FIELDS[name]]


def _status(bank: Bank, index: int) -> int:
    """The alarm's number; those past the 16 names that an enum can hold show as SOFT, which is what UDF is here."""
    if bank.severity[index] == Severity.NO_ALARM:
        return Status.NO_ALARM
    return min(int(bank.status[index]), len(STATUSES) - 1)
