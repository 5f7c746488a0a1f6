"""Hidden errors of monitors: on a girder that is displaced, a monitor is displaced with it."""

from collections.abc import Mapping

from gnomon.fault_injection.errors.drawn import MachineErrors
from gnomon.lattice import MachineDocument
from gnomon.lattice.document import MonitorErrorPart


def true_monitor_errors(document: MachineDocument, errors: MachineErrors) -> Mapping[str, MonitorErrorPart]:
    """Return the errors of all monitors by name; what a document knows of them already is there in addition.

    A monitor stands on the girder of the nearest magnet, in the order of elements, and has an offset from it. So its
    offset from that magnet's centre is its own, less the magnet's displacement on the girder.
    """
    number = {part.name: i for i, part in enumerate(document.elements)}
    girder_at = [(i, girder.name) for girder in errors.girders for body in girder.bodies for i in body.elements]
    found = {}
    for monitor in document.monitors:
        at = number[monitor.name]
        girder = min(girder_at, key=lambda item: abs(item[0] - at))[1] if girder_at else ""
        known = monitor.error or MonitorErrorPart()
        x = errors.get("girder_x", girder) + errors.get("monitor_x", monitor.name)
        y = errors.get("girder_y", girder) + errors.get("monitor_y", monitor.name)
        found[monitor.name] = MonitorErrorPart(
            offset_x_mm=known.offset_x_mm + 1e3 * x,
            offset_y_mm=known.offset_y_mm + 1e3 * y,
            gain_x=known.gain_x * (1.0 + errors.get("monitor_gain_x", monitor.name)),
            gain_y=known.gain_y * (1.0 + errors.get("monitor_gain_y", monitor.name)),
            roll_rad=known.roll_rad + errors.get("monitor_roll", monitor.name),
        )
    return found
