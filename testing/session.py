"""The rings of one test session: at most two servers, the EPICS variables that lead to them, and their end."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gnomon.testing.ports import PREFIX, client_variables, reserve
from gnomon.testing.quiet_repeater import QuietRepeater

if TYPE_CHECKING:
    from gnomon.clients.remote_ring import RemoteRing
    from gnomon.testing.ring import ServedRing
    from gnomon.testing.ring_settings import RingSettings
    from gnomon.testing.server import RingServer
    from gnomon.testing.truth import Truth

#: Servers at a time: a twin, and a machine with other names beside it.
MAX_SERVERS = 2


class Session:
    """EPICS variables of the session from its begin to its end, and the servers that they lead to.

    Ports stay the same for the whole session, because libca reads its variables once in a process.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        prefix: str = "TWIN:",
        environ: "os._Environ[str] | dict[str, str]" = os.environ,
    ) -> None:
        self._say = say
        self._environ = environ
        self._ports = reserve(MAX_SERVERS)
        self._repeater = QuietRepeater()
        self._slots: list[_Slot] = []
        self.variables = client_variables(self._ports, self._repeater.port)
        self._before = {name: value for name, value in environ.items() if name.startswith((PREFIX, "GNOMON_"))}
        for name in self._before:
            del environ[name]
        # gnomon's own commands find the ring as other EPICS clients do, and not the one that the user runs.
        environ.update(self.variables | {"GNOMON_SERVER": "epics", "GNOMON_PREFIX": prefix})

    def get_ready(self) -> None:
        """Start the first server's process, so that it is ready sooner when a test needs it."""
        from gnomon.testing.server import RingServer

        if not self._slots:
            self._slots.append(_Slot(RingServer(self._ports[0], self._say)))
            self._slots[0].server.start()

    @contextmanager
    def ring(self, settings: "RingSettings") -> Iterator["ServedRing"]:
        """Serve a fresh ring while the context lasts. Raises ServerError, SettingsError."""
        from gnomon.testing.client_commands import Journal
        from gnomon.testing.ring import ServedRing

        slot = self._slot(settings.served_prefix)
        request = settings.request(slot.server.ports.network)
        slot.serve(request, self.variables)
        remote = slot.remote
        assert remote is not None
        slot.in_use, slot.log_from = True, slot.server.log_size
        before = self._environ.get("GNOMON_PREFIX")
        self._environ["GNOMON_PREFIX"] = settings.served_prefix
        try:
            yield ServedRing(remote, Journal(lambda: slot.server.journal), Path(settings.machine).stem, settings.role)
        finally:
            slot.in_use = False
            if before is None:
                self._environ.pop("GNOMON_PREFIX", None)
            else:
                self._environ["GNOMON_PREFIX"] = before

    def truth(self, ring: "ServedRing") -> "Truth":
        """Return what no client of a ring could know."""
        from gnomon.testing.truth import Truth

        slot = next(slot for slot in self._slots if slot.remote is ring.remote)
        return Truth(ring.remote, slot.server.configuration, slot.server.journal.parent)

    def log(self) -> str:
        """Read what the servers of the present test have logged during it."""
        return "".join(slot.server.log(slot.log_from) for slot in self._slots if slot.in_use)

    def close(self) -> None:
        """End the servers, and put the environment back as it was."""
        for slot in self._slots:
            slot.close()
        self._slots = []
        self._repeater.stop()
        for name in [name for name in self._environ if name.startswith((PREFIX, "GNOMON_"))]:
            del self._environ[name]
        self._environ.update(self._before)

    def _slot(self, prefix: str) -> "_Slot":
        """Find the server of a prefix, or a place for it, where necessary that of a server that nobody uses."""
        from gnomon.testing.server import RingServer, ServerError

        found = next((slot for slot in self._slots if slot.prefix in (prefix, None)), None)
        if found is not None and found.in_use:
            raise ServerError(
                f"two rings of one test have the prefix {prefix!r}: `ring` and `machine` of one test are "
                "told apart by their prefixes, which are 'TWIN:' and none where neither marker nor option gives one"
            )
        if found is None and len(self._slots) < MAX_SERVERS:
            found = _Slot(RingServer(self._ports[len(self._slots)], self._say))
            self._slots.append(found)
        if found is None:
            found = next((slot for slot in self._slots if not slot.in_use), None)
        if found is None:
            raise ServerError(f"a test has at most {MAX_SERVERS} rings")
        self._slots.remove(found)
        self._slots.append(found)  # the one whose last use is longest ago stands first
        found.prefix = prefix
        return found


class _Slot:
    """A server, and our own connection to it."""

    def __init__(self, server: "RingServer") -> None:
        self.server = server
        self.prefix: str | None = None
        self.remote: RemoteRing | None = None
        self.in_use = False
        self.log_from = 0

    def serve(self, request: Mapping[str, Any], variables: Mapping[str, str]) -> None:
        """Serve a fresh ring, and connect to it."""
        from gnomon.clients.epics_client import EpicsClient
        from gnomon.clients.remote_ring import RemoteRing
        from gnomon.clients.server_choice import Target

        if not self.server.fresh(request):
            self.disconnect()
        if self.remote is None:
            own = {**variables, "EPICS_PVA_ADDR_LIST": f"127.0.0.1:{self.server.ports.pva_broadcast}"}
            assert self.prefix is not None
            self.remote = RemoteRing(EpicsClient(Target(self.prefix, own)))

    def disconnect(self) -> None:
        """End our own connection."""
        if self.remote is not None:
            self.remote.close()
            self.remote = None

    def close(self) -> None:
        """End connection and server."""
        self.disconnect()
        self.server.stop()
