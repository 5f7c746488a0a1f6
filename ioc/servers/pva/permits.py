"""Rights to read and write over PV Access: the access rules, with the client's true address.

Reading is refused when a channel is made, which is once a connection and PV; writing each time.
"""

from gnomon.ioc.servers.access import AccessRules, Rights
from gnomon.ioc.servers.pva.pvxs_log import log
from gnomon.lattice import Client


class Permits:
    """Access rules as the PV Access server asks them."""

    def __init__(self, rules: AccessRules) -> None:
        self._rules = rules

    def may_read(self, name: str, user: str, host: str) -> bool:
        """Tell whether a user at an address may have a channel of this name."""
        return Rights.READ in self._rules.rights(name, user, host)

    def refusal(self, name: str, client: Client, what: str) -> str | None:
        """Return, and log, why a client may not do `what` ("write", "call") with a name; None when it may."""
        if Rights.WRITE in self._rules.rights(name, client.user, client.host):
            return None
        reason = f"{client.user}@{client.host} may not {what} {name}: the server's access rules allow it to read only."
        log.warning("%s", reason)
        return reason
