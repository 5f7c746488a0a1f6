"""`gnomon watch`: the ring live in a terminal. Only `app` needs textual, the library of the extra `watch`."""

__all__: list[str] = []
