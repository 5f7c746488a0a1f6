"""Folders at the root that make up the package, in the order of the layers, from the top."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = (
    "cli",
    "testing",
    "services",
    "procedures",
    "clients",
    "ioc",
    "recorder",
    "fault_injection",
    "propagator",
    "db",
    "lattice",
)
