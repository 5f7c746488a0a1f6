"""`dt:active`: whether the model computes. While it does not, setpoints are taken and recorded as ever."""

import asyncio

from gnomon.db import sources
from gnomon.ioc.commands.controls import Controls
from gnomon.ioc.outputs.outputs import Outputs
from gnomon.lattice import Client
from gnomon.propagator import Answer, PropagatorService

PAUSED = "the model is paused (dt:active)"


class Activity:
    """Pauses and resumes the model, for a client or a reason of ours; resumed, it begins with the present lattice."""

    def __init__(self, controls: Controls, service: PropagatorService, outputs: Outputs) -> None:
        self._service = service
        self._outputs = outputs
        self._active = True
        self._held = ""
        outputs.show(sources.ACTIVE, 1)
        controls.register(sources.ACTIVE, self._set)

    def hold(self, reason: str) -> None:
        """Let no output of the beam be valid, whatever clients ask for, until this is called with no reason."""
        if reason == self._held:
            return
        self._held = reason
        if reason or not self._active:
            self._service.pause(reason or PAUSED)
        else:
            self._resume()

    async def _set(self, value: float, client: Client) -> None:
        """Ends when INVALID is out, or the outputs of the present lattice."""
        self._active = bool(value)
        if self._active and not self._held:
            await self._resume()
        else:
            self._outputs.show(sources.ACTIVE, int(self._active))
            self._service.pause(self._held or PAUSED)

    def _resume(self) -> "asyncio.Future[Answer]":
        self._outputs.show_many({sources.ACTIVE: 1, sources.MODEL_COMPUTING: 1})
        return self._service.resume()
