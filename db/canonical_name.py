"""One name for a PV, whatever way it is written."""

__all__ = ["canonical_name"]

#: What clients write before a name to say by which protocol it is meant.
_PROTOCOLS = ("ca://", "pva://")
#: The field that a name without a field means.
_VALUE = ".VAL"


def canonical_name(name: str, prefix: str = "") -> str:
    """Return the one name of a PV, to be used before any two names are compared.

    Without white space around it, the protocol, the server's prefix (which may be there or not) and the field `.VAL`,
    which is the PV itself: `pva://TWIN:Q1:set.VAL`, `TWIN:Q1:set` and `Q1:set` are all `Q1:set` under the prefix
    `TWIN:`. Other fields stay: they are other PVs.
    """
    name = name.strip()
    for protocol in _PROTOCOLS:
        name = name.removeprefix(protocol)
    return name.removeprefix(prefix).removesuffix(_VALUE)
