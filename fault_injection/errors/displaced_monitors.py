"""Hidden errors of monitors: on a girder that is displaced, a monitor is displaced with it."""

from bisect import bisect_left
from collections.abc import Mapping

from gnomon.fault_injection.errors.drawn import MachineErrors
from gnomon.lattice import MachineDocument
from gnomon.lattice.document import MonitorErrorPart


def hidden_monitor_errors(document: MachineDocument, errors: MachineErrors) -> Mapping[str, MonitorErrorPart]:
    """Return the hidden errors of all monitors by name, in beam order; those that the document knows are not in them.

    A monitor stands on the girder of the nearest magnet, in the order of elements, and has an offset from it. So its
    offset from that magnet's centre is its own, less the magnet's displacement on the girder.
    """
    number = {part.name: i for i, part in enumerate(document.elements)}
    in_order = [(i, girder.name) for girder in errors.girders for body in girder.bodies for i in body.elements]
    girder_at = {i: (rank, girder) for rank, (i, girder) in reversed([*enumerate(in_order)])}
    places = sorted(girder_at)
    found = {}
    for name in (monitor.name for monitor in document.monitors):
        at = number[name]
        after = bisect_left(places, at)
        near = [(abs(place - at), *girder_at[place]) for place in places[max(after - 1, 0) : after + 1]]
        girder = min(near)[2] if near else ""
        found[name] = MonitorErrorPart(
            offset_x_mm=1e3 * (errors.get("girder_x", girder) + errors.get("monitor_x", name)),
            offset_y_mm=1e3 * (errors.get("girder_y", girder) + errors.get("monitor_y", name)),
            gain_x=1.0 + errors.get("monitor_gain_x", name),
            gain_y=1.0 + errors.get("monitor_gain_y", name),
            roll_rad=errors.get("monitor_roll", name),
        )
    return found
