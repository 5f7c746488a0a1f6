"""Tools for authors of client programs: a ring on free ports for each test, faults on request, scenarios of failures.

The pytest plugin and the scenarios stand on a running server and on what it answers over the network; they see no more
of the ring than the program under test could, except where a check says so.
"""

__all__: list[str] = []
