"""The version, in a module that lower layers can import without what the package offers."""

__version__ = "0.1.0"
