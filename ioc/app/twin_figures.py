"""The figures of the twins of a server for Prometheus, and whether they are ready: what their PVs show, no more."""

from collections.abc import Iterator, Sequence

from gnomon._version import __version__
from gnomon.db import sources
from gnomon.db.pvs import Kind, PvSpec
from gnomon.db.sources import SOURCES, Source
from gnomon.ioc.app.twin import Twin
from gnomon.ioc.base.exposition import Family, metric_name
from gnomon.ioc.outputs.bank import Bank, Reading, Severity

_NUMBERS = (Kind.FLOAT, Kind.INT, Kind.ENUM)


def figures_of(twins: Sequence[Twin]) -> Iterator[Family]:
    """List the figures: each PV that is one number about the whole server or beam, in the unit of its source.

    Those of one meaning are one metric, told apart by the prefix. A value that is INVALID is left out.
    """
    labels = {id(twin): {"prefix": twin.prefix} for twin in twins}
    info = [
        ({**labels[id(twin)], "machine": twin.machine.ring.name, "role": twin.config.role, "version": __version__}, 1.0)
        for twin in twins
    ]
    yield Family("gnomon_info", "the server: machine, role and version", info)
    ready = [(labels[id(twin)], float(not unready(twin.bank))) for twin in twins]
    yield Family("gnomon_ready", "whether commands are taken and computed (1) or not (0), as /readyz says", ready)
    found: dict[str, tuple[str, list[tuple[dict[str, str], float]]]] = {}
    for twin in twins:
        for index, spec in enumerate(twin.bank.specs):
            if spec.kind in _NUMBERS and not spec.device:
                source = SOURCES[spec.source]
                name = metric_name(source.name, source.unit)
                _, samples = found.setdefault(name, (_meaning(spec), []))
                reading = twin.bank.reading(index)
                same = samples and samples[-1][0] is labels[id(twin)]  # a PV with two names
                if reading.severity != Severity.INVALID and not same:
                    samples.append((labels[id(twin)], float(reading.value) / spec.scale))
    for name, (meaning, samples) in found.items():
        yield Family(name, meaning, samples)


def unready(bank: Bank) -> list[str]:
    """List why a twin does not take and compute commands; empty when it does."""
    reasons = []
    if any(reading.value for reading in _readings(bank, sources.RECORDER_STATE)):
        reasons.append("the journal is not written: no command is taken")
    if hangs(bank):
        reasons.append("the model hangs: nothing is computed; restart the server")
    return reasons


def hangs(bank: Bank) -> bool:
    """Tell whether so many computations hang that nothing more is computed: the PV's own alarm says so."""
    return any(reading.severity == Severity.MAJOR for reading in _readings(bank, sources.MODEL_HUNG))


def _readings(bank: Bank, source: Source) -> Iterator[Reading]:
    return (bank.reading(index) for index, spec in enumerate(bank.specs) if spec.source == source.name)


def _meaning(spec: PvSpec) -> str:
    states = ", ".join(f"{number} {state}" for number, state in enumerate(spec.states))
    return f"{SOURCES[spec.source].title}{f' ({states})' if states else ''}"
