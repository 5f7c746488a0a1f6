"""Documents and errors that several tests use."""

from gnomon.db import shipped_document
from gnomon.fault_injection.errors import ErrorSizes
from gnomon.ioc.app.imperfect.imperfect_machine import error_sizes
from gnomon.ioc.base.config import ImperfectionsConfig
from gnomon.lattice import parse_machine
from unit.lattice import small_ring

BESSY, MLS = shipped_document("bessy2"), shipped_document("mls")
SMALL = parse_machine(small_ring.text(), "small")
#: The default sizes.
SIZES: ErrorSizes = error_sizes(ImperfectionsConfig())
