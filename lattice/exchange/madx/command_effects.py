"""Commands of MAD-X by what they mean for a ring: nothing, or something that its own run would show."""

#: Without effect on what elements, lines and sequences are.
IDLE = frozenset(
    """twiss title set select value show print printf save survey plot resplot setplots write help emit assign coguess
    savebeta dumpsequ removefile renamefile create fill deselect aperture touschek ibs track start run endtrack observe
    dynap summ eprint esave eoption coption delete interpolate sodd quickcorr usekick usemonitor writecorr readtable
    readmytable tracksequ weight gweight constraint jacobian lmdif simplex migrad copybeam sxfwrite fill_knob
    putkick resbeta endedit flatten global chrom dynamic shrink""".split()  # noqa: SIM905 as a list it would be 50 lines
)
#: Not carried out here, and the ring is another one afterwards.
ALTERING = {
    "match": "a match alters variables",
    "vary": "a match alters variables",
    "makethin": "slices magnets",
    "seqedit": "edits a sequence",
    "ealign": "displaces magnets",
    "efcomp": "adds field errors",
    "seterr": "sets errors from a table",
    "correct": "sets steerers",
    "readcorr": "sets steerers",
    "setcorr": "sets steerers",
    "setvars": "sets variables from a table",
    "setvars_lin": "sets variables from a table",
    "setvars_const": "sets variables from a table",
    "setvars_knob": "sets variables from a table",
    "sxfread": "reads a sequence of another format",
}
#: Within `seqedit` these are told with it.
EDITS = frozenset({"install", "remove", "move", "replace", "reflect", "cycle", "extract"})
#: The remedy for all of them.
REMEDY = "not carried out: run MAD-X, `save, sequence=..., file=...;` there, and import that file"
#: Commands that run programs or leave the file system changed; never done.
REFUSED_QUIETLY = frozenset({"system"})
END = frozenset({"stop", "exit", "quit"})
PREFIXES = ("ptc_", "select_ptc", "sxf")


def is_idle(command: str) -> bool:
    """Tell whether a command leaves the ring as it is."""
    return command in IDLE or command in EDITS or command in REFUSED_QUIETLY or command.startswith(PREFIXES)
