"""gnomon: a digital shadow of a synchrotron storage ring that any EPICS client can talk to."""

__all__ = ["__version__"]

__version__ = "0.1.0"
