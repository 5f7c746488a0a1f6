"""caproto asyncio server (Channel Access only): writing the setpoint writes the readings one by one."""

import asyncio
import os

from caproto import ChannelData, ChannelDouble
from caproto.asyncio.server import Context
from common import STOP_SIGNALS, Settings, announce_ready, parse_settings

# Connection tasks of caproto ignore their first cancellation, by the server that ends; asyncio.run() supplies another.
SETTLE_S = 0.1


class Setpoint(ChannelDouble):
    """A PV that hands each value written to it on to its followers."""

    def __init__(self, followers: list[ChannelDouble], **options) -> None:
        super().__init__(**options)
        self.followers = followers

    async def verify_value(self, value: float) -> float:
        for follower in self.followers:
            await follower.write(value)
        return value


def create_pvs(settings: Settings) -> dict[str, ChannelData]:
    readings = {name: ChannelDouble(value=0.0) for name in settings.readings}
    followers = [readings[name] for name in settings.followers]
    return {settings.setpoint: Setpoint(followers, value=0.0), **readings}


async def say_ready(_async_layer) -> None:
    announce_ready()


async def serve(settings: Settings) -> None:
    interfaces = os.environ.get("EPICS_CAS_INTF_ADDR_LIST", "0.0.0.0").split()
    server = asyncio.create_task(Context(create_pvs(settings), interfaces).run(startup_hook=say_ready))
    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, server.cancel)
    await server
    await asyncio.sleep(SETTLE_S)


if __name__ == "__main__":
    asyncio.run(serve(parse_settings(__doc__, pva_option=False)))
