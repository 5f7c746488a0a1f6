"""Refuse to serve PV names that another server already serves."""

import asyncio
from collections.abc import Sequence

from gnomon.ioc.base.config import NetworkConfig
from gnomon.ioc.servers.address_lists import search_addresses, search_port
from gnomon.lattice import GnomonError


class DuplicatePvError(GnomonError):
    """Another server serves one of our PV names; clients would reach one of the two at random."""


async def refuse_duplicate_pvs(names: Sequence[str], network: NetworkConfig) -> None:
    """Search for `names` over both protocols, for at most `check_timeout_s`. Raises DuplicatePvError."""
    if not network.check_names:
        return
    from gnomon.ioc.servers.ca.ca_name_search import find_ca_servers
    from gnomon.ioc.servers.pva.pva_name_search import find_pva_servers

    timeout_s, interfaces = network.check_timeout_s, network.interfaces
    ca_port, pva_port = search_port("CA", network.ca_port), search_port("PVA", network.pva_broadcast_port)
    ca, pva = await asyncio.gather(
        find_ca_servers(names, search_addresses("CA", interfaces), ca_port, timeout_s),
        asyncio.to_thread(find_pva_servers, names, search_addresses("PVA", interfaces), pva_port, timeout_s),
    )
    for protocol, taken in (("Channel Access", ca), ("PV Access", pva)):
        if taken:
            name, where = next(iter(taken.items()))
            more = f" and {len(taken) - 1} more of our PV names" if len(taken) > 1 else ""
            raise DuplicatePvError(
                f"another server at {where} already serves {name!r}{more} over {protocol}. "
                "Stop it, or choose another --prefix or other ports; --allow-duplicates starts nevertheless"
            )
