"""The error of the code generator."""

from gnomon.lattice import GnomonError


class CodegenError(GnomonError):
    """Physics that cannot be written as compiled code; the text says why."""
