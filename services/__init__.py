"""Services over HTTP: lattices, beam, optics, responses, stored results and running servers, for any language.

Needs the extra `services`; importing this package does not. `gnomon services` starts it.
"""

__all__: list[str] = []
