"""Store and forward: journal and results on their way to MQTT, MongoDB, tiled and a logbook.

The local journal is the truth. A process of its own, `gnomon forward run`, reads it, and each downstream gets what it
has not acknowledged, in order, at its own pace; `services/forward/forwarder.py` is where to begin.
"""

from typing import TYPE_CHECKING

from gnomon.lattice import lazy_names

if TYPE_CHECKING:
    from gnomon.services.forward.configured import NAMES, configured_downstreams, source_of
    from gnomon.services.forward.feeder import Source
    from gnomon.services.forward.forwarder import ForwardError, forward_until_signal
    from gnomon.services.forward.moving import move_cursor

__all__ = [
    "NAMES",
    "ForwardError",
    "Source",
    "configured_downstreams",
    "forward_until_signal",
    "move_cursor",
    "source_of",
]

__getattr__ = lazy_names(
    __name__,
    {
        "ForwardError": "forwarder",
        "NAMES": "configured",
        "Source": "feeder",
        "configured_downstreams": "configured",
        "forward_until_signal": "forwarder",
        "move_cursor": "moving",
        "source_of": "configured",
    },
)
