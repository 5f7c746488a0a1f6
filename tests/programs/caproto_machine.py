"""A machine of five PVs, served by caproto until it is killed; prints `ready` when it is."""

from typing import Any

from caproto import AccessRights, AlarmSeverity, AlarmStatus, ChannelAlarm, ChannelDouble, ChannelString
from caproto.asyncio.server import run


class ReadOnly(ChannelDouble):
    """A value that clients cannot put to."""

    def check_access(self, hostname: str, username: str) -> AccessRights:
        """Reading only, for everybody."""
        return AccessRights.READ


readback = ReadOnly(value=1.0)


class Setpoint(ChannelDouble):
    """A value whose readback follows at once."""

    async def verify_value(self, value: Any) -> Any:
        """Take it."""
        await readback.write(value)
        return value


async def ready(_: object) -> None:
    """Say that the server has started."""
    print("ready", flush=True)


if __name__ == "__main__":
    undefined = ChannelAlarm(status=AlarmStatus.UDF, severity=AlarmSeverity.INVALID_ALARM)
    pvs = {
        "c:set": Setpoint(value=1.0, lower_ctrl_limit=0.0, upper_ctrl_limit=10.0, units="A"),
        "c:rdbk": readback,
        "c:free": ChannelDouble(value=2.0),
        "c:bad": ChannelDouble(value=3.0, alarm=undefined),
        "c:text": ChannelString(value="hello"),
    }
    run(pvs, interfaces=["127.0.0.1"], log_pv_names=False, startup_hook=ready)
