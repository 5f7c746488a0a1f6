"""`dt:active`: whether the model computes. While it does not, setpoints are taken and recorded as ever."""

from gnomon.ioc.controls import Controls
from gnomon.ioc.outputs import Outputs
from gnomon.lattice import Client
from gnomon.propagator import PropagatorService

PAUSED = "the model is paused (dt:active)"


class Activity:
    """Pauses and resumes the model for a client; a resumed one begins with the present lattice."""

    def __init__(self, controls: Controls, service: PropagatorService, outputs: Outputs) -> None:
        self._service = service
        self._outputs = outputs
        outputs.show("control.active", 1)
        controls.register("control.active", self._set)

    async def _set(self, value: float, client: Client) -> None:
        """Ends when INVALID is out, or the outputs of the present lattice."""
        if value:
            self._outputs.show_many({"control.active": 1, "model.computing": 1})
            await self._service.resume()
        else:
            self._outputs.show("control.active", 0)
            self._service.pause(PAUSED)
