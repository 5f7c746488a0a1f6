"""The base of every error that gnomon raises on purpose."""


class GnomonError(Exception):
    """Something that the user can act on: the text says what, which, the value, the limit and what to do."""


class LatticeError(GnomonError):
    """A ring, a device or a property that is not as it must be."""


class RefusedValue(LatticeError):
    """A value outside its limits or not finite; nothing has changed."""


class DocumentError(LatticeError):
    """A document that cannot be read as what it claims to be: file, place and reason."""
