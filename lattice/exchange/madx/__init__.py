"""Files of MAD-X, read as MAD-X 5.09 reads them.

A file is a program: `source` finds its statements, `interpreter` carries them out on a `program`, `lines` and
`sequences` expand the ring, and `toolbox_words` says what each element is here.
"""

from gnomon.lattice.exchange.madx.madx_ring import read_madx

__all__ = ["read_madx"]
