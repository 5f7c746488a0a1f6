"""`par:mode`: an independent twin, or a shadow that follows the machine; changed at run time."""

import logging
from collections.abc import Callable

from gnomon.db import sources
from gnomon.ioc.base.config import Role
from gnomon.ioc.commands.controls import Controls
from gnomon.ioc.outputs.outputs import Outputs
from gnomon.ioc.shadow.shadow import NOTHING_FOLLOWED, Shadow
from gnomon.lattice import Client, GnomonError

#: States of `par:mode` and, with one more, of `dt:role`.
TWIN, SHADOW, MACHINE = range(3)

log = logging.getLogger("gnomon.shadow")


class ModeError(GnomonError):
    """A mode that cannot be had; the text says why and what to do."""


class Mode:
    """The mode of one twin. `make` is for a shadow of the configured machine; None when none is configured."""

    def __init__(self, role: Role, make: Callable[[], Shadow] | None, controls: Controls, outputs: Outputs) -> None:
        self._role = role
        self._make = make
        self._outputs = outputs
        self._shadow: Shadow | None = None
        controls.register(sources.MODE, self._set)

    def begin(self) -> None:
        """Be what the configuration says."""
        self._outputs.show_many(NOTHING_FOLLOWED)
        self._show()
        if self._role == "shadow":
            self._follow()

    def close(self) -> None:
        """Follow no more."""
        if self._shadow is not None:
            self._shadow.close()
            self._shadow = None

    def _set(self, value: float, client: Client) -> None:
        if int(value) == SHADOW:
            self._follow()
        else:
            self.close()
            self._show()

    def _follow(self) -> None:
        if self._shadow is not None:
            return
        if self._role == "machine":
            raise ModeError("par:mode: this gnomon stands in for the real machine; start another one as its shadow")
        if self._make is None:
            raise ModeError(
                "par:mode: there is no machine to follow; give its address as shadow.addresses in the configuration, "
                "or start with --follow HOST:PORT"
            )
        shadow = self._make()
        shadow.start()
        self._shadow = shadow
        log.info("following %s", shadow.description)
        self._show()

    def _show(self) -> None:
        mode = TWIN if self._shadow is None else SHADOW
        role = MACHINE if self._role == "machine" else mode
        self._outputs.show_many({sources.MODE: mode, sources.MACHINE_ROLE: role})
