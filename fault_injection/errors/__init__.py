"""Hidden errors of an imperfect machine, pure: drawn from a seed, they make another machine document and its lattices.

Nothing here knows clocks, servers or beams. Only the server of role machine and `gnomon machine truth` may import it.
"""

from gnomon.fault_injection.errors.displaced_monitors import hidden_monitor_errors
from gnomon.fault_injection.errors.drawn import KINDS, Kind, MachineErrors, draw_errors
from gnomon.fault_injection.errors.error_sizes import ErrorSizes
from gnomon.fault_injection.errors.lattices import TrueLattices
from gnomon.fault_injection.errors.named_draws import normals, uniforms
from gnomon.fault_injection.errors.true_documents import true_document

__all__ = [
    "KINDS",
    "ErrorSizes",
    "Kind",
    "MachineErrors",
    "TrueLattices",
    "draw_errors",
    "hidden_monitor_errors",
    "normals",
    "true_document",
    "uniforms",
]
