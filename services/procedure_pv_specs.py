"""The PVs with which panels start procedures: names, kinds, states, descriptions. Needs no extra."""

from collections.abc import Sequence

from gnomon.db.pvs import Kind, PvSpec

__all__ = ["MAX_VALUES", "PVS", "STATES", "procedure_specs"]

STATES = ("idle", "starting", "running", "cancelling", "done", "failed", "stopped", "lost")
#: Longest array of a result.
MAX_VALUES = 50_000

#: The PVs: name after the prefix, kind, writable, states, unit, description.
PVS: tuple[tuple[str, Kind, bool, tuple[str, ...], str, str], ...] = (
    ("procedure", Kind.STRING, True, (), "", "name of the procedure to start"),
    ("target", Kind.STRING, True, (), "", "prefix of the server to measure; empty: the only one on this computer"),
    ("options", Kind.STRING, True, (), "", "options of the procedure as JSON; empty: its defaults"),
    ("apply", Kind.ENUM, True, ("propose", "apply"), "", "whether a correction makes its settings"),
    ("start", Kind.ENUM, True, ("ready", "start"), "", "put 1 to start; complete once the job is accepted or refused"),
    ("cancel", Kind.ENUM, True, ("ready", "cancel"), "", "put 1 to end the job and put the machine back"),
    ("procedures", Kind.STRINGS, False, (), "", "names of all procedures, user scripts included"),
    ("job", Kind.STRING, False, (), "", "id of the newest job"),
    ("job:procedure", Kind.STRING, False, (), "", "procedure of the newest job"),
    ("job:target", Kind.STRING, False, (), "", "prefix at which the newest job runs or ran"),
    ("state", Kind.ENUM, False, STATES, "", "state of the newest job"),
    ("phase", Kind.STRING, False, (), "", "preparing, measuring, computing, applying, putting back"),
    ("message", Kind.STRING, False, (), "", "reason of the end, or what is being done"),
    ("refusal", Kind.STRING, False, (), "", "reason why the last put was refused; empty: it was accepted"),
    ("progress", Kind.FLOAT, False, (), "", "measured part of all rows, 0 to 1"),
    ("rows", Kind.INT, False, (), "", "number of rows measured"),
    ("rows:expected", Kind.INT, False, (), "", "number of rows to measure"),
    ("result", Kind.STRING, False, (), "", "name of the last stored result"),
    ("result:names", Kind.STRINGS, False, (), "", "names of the main numbers of the last result"),
    ("result:values", Kind.STRINGS, False, (), "", "main numbers of the last result, with errors and units"),
    ("result:text", Kind.STRING, False, (), "", "the same, a line each"),
    ("result:labels", Kind.STRINGS, False, (), "", "labels, with units, of result:x, result:y1 and result:y2"),
    ("result:x", Kind.FLOATS, False, (), "", "abscissa of the last result's plot"),
    ("result:y1", Kind.FLOATS, False, (), "", "first array of the last result's plot"),
    ("result:y2", Kind.FLOATS, False, (), "", "second array of the last result's plot; empty: there is none"),
)


def procedure_specs(prefix: str) -> list[PvSpec]:
    """Make the PVs under a prefix."""
    return [
        PvSpec(
            name=prefix + name, kind=kind, source="procedures", description=description, unit=unit, writable=writable,
            states=states, length=MAX_VALUES if kind is Kind.FLOATS else 200 if kind is Kind.STRINGS else 1,
            display=(0.0, 1.0) if name == "progress" else None, record_type=_record_type(kind, writable, states),
        )
        for name, kind, writable, states, unit, description in PVS
    ]  # fmt: skip


def _record_type(kind: Kind, writable: bool, states: Sequence[str]) -> str:
    match kind:
        case Kind.ENUM:
            return "bo" if len(states) == 2 else "mbbi"
        case Kind.STRING:
            return "lso" if writable else "lsi"
        case Kind.INT:
            return "longin"
        case Kind.FLOAT:
            return "ai"
        case _:
            return "waveform"
