"""Rights to read and write over PV Access: the access rules, with the client's true address.

Reading is refused when a channel is made, which is once a connection and PV; writing each time.
"""

from collections.abc import Callable

from gnomon.ioc.servers.access import AccessRules, Rights
from gnomon.ioc.servers.pva.pvxs_log import log
from gnomon.lattice import Client

#: What EPICS's own server says when access security refuses a put (QSRV 1.2).
NOT_PERMITTED = "Put not permitted"


class Permits:
    """Access rules as the PV Access server asks them."""

    def __init__(self, rules: AccessRules) -> None:
        self._rules = rules
        #: Tells whether an injected fault denies writing a name; None while there is none.
        self.is_denied: Callable[[str], bool] | None = None

    def may_read(self, name: str, user: str, host: str) -> bool:
        """Tell whether a user at an address may have a channel of this name."""
        return Rights.READ in self._rules.rights(name, user, host)

    def refusal(self, name: str, client: Client, what: str) -> str | None:
        """Return, and log, why a client may not do `what` ("write", "call") with a name; None when it may."""
        if self.is_denied is not None and self.is_denied(name):
            return NOT_PERMITTED
        if Rights.WRITE in self._rules.rights(name, client.user, client.host):
            return None
        reason = f"{client.user}@{client.host} may not {what} {name}: the server's access rules allow it to read only."
        log.warning("%s", reason)
        return reason
