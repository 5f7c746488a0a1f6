"""Measurements and corrections: each is a plan (what is done), an analysis (what it means) and its documents.

An analysis is pure: arrays in, outcome with uncertainties out. A plan needs the extra `bluesky`; importing this package
does not.
"""

__all__: list[str] = []
