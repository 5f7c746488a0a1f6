"""Clients of a running gnomon: find it, read, write and watch its PVs over either protocol, script it from Python.

Importing this package imports no EPICS library; `gnomon.clients.epics_client` imports the one that is used.
"""

__all__: list[str] = []
