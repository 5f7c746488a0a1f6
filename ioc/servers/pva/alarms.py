"""Alarm status of Channel Access in the words of PV Access, as QSRV translates it."""

from enum import IntEnum

from gnomon.ioc.outputs.bank import Status


class Origin(IntEnum):
    """Meanings of `alarm.status` in PV Access (normative types, `alarm_t`): where an alarm comes from."""

    NONE = 0
    DEVICE = 1
    DRIVER = 2
    RECORD = 3
    DB = 4
    CONFIGURATION = 5
    UNDEFINED = 6
    CLIENT = 7


_ORIGINS = {
    Status.NO_ALARM: Origin.NONE,
    Status.WRITE: Origin.DEVICE,
    Status.HIHI: Origin.DEVICE,
    Status.HIGH: Origin.DEVICE,
    Status.LOLO: Origin.DEVICE,
    Status.LOW: Origin.DEVICE,
    Status.STATE: Origin.DEVICE,
    Status.HWLIMIT: Origin.DEVICE,
    Status.COMM: Origin.DRIVER,
    Status.TIMEOUT: Origin.DRIVER,
    Status.UDF: Origin.DRIVER,
    Status.CALC: Origin.RECORD,
}

ORIGIN: dict[int, int] = {int(status): int(_ORIGINS.get(status, Origin.UNDEFINED)) for status in Status}
"""CA status -> `alarm.status`."""

MESSAGE: dict[int, str] = {int(status): status.name for status in Status}
"""CA status -> `alarm.message`: the status's own name, as `caget -a` prints it."""
