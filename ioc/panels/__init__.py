"""Panels for Phoebus, made from what a machine is served with."""

from gnomon.ioc.panels.pages import make_panels

__all__ = ["make_panels"]
