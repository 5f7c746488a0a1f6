"""`gnomon machine`: the known machines, the contents and checks of machine documents, exchange of lattices."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli.import_options import ImportChoice, show_findings
from gnomon.cli.init import CONFIG
from gnomon.cli.lattice_options import LatticeChoice, find_lattice
from gnomon.cli.option_group import with_options
from gnomon.cli.options import ConfigFile, Prefix, Pvs, configure
from gnomon.cli.output import Json, print_json, print_table, say
from gnomon.cli.served_document import diff, reload
from gnomon.cli.truth import truth
from gnomon.lattice.text import printable

if TYPE_CHECKING:
    from gnomon.db.pvs import PvSpec
    from gnomon.lattice import SupplyFacts

app = typer.Typer(
    no_args_is_help=True, help="List, show, check, import, export and reload machines, and list their PVs."
)

Name = Annotated[str, typer.Argument(help="Name of a shipped machine, or file of a machine document.")]


@app.command("list")
def list_(config: ConfigFile = None, as_json: Json = False) -> None:
    """List the machines that can be given to --machine by name."""
    from gnomon.ioc.base.machines import known_machines

    rows = [
        {
            "machine": loaded.document.name,
            "title": loaded.document.title,
            "elements": len(loaded.document.elements),
            "supplies": len(loaded.document.supplies),
            "monitors": len(loaded.document.monitors),
            "origin": loaded.origin,
        }
        for loaded in known_machines(configure(config))
    ]
    columns = {name: name for name in ("machine", "title", "elements", "supplies", "monitors", "origin")}
    print_table(
        rows,
        columns | {"title": "description", "origin": "source"},
        as_json=as_json,
        right=("elements", "supplies", "monitors"),
    )


@app.command()
def show(name: Name, config: ConfigFile = None, prefix: Prefix = None, as_json: Json = False) -> None:
    """Show a machine: elements, power supplies with magnets, positions, units and limits, monitors, optics, PVs.

    For example `gnomon machine show bessy2`. With `--json`, all positions, magnets and strengths per A of each supply.
    """
    from rich.console import Console
    from rich.markup import escape

    from gnomon.ioc.base.machines import find_machine, pvs_of
    from gnomon.lattice import supply_facts

    settings = configure(config, machine=name, prefix=prefix)
    loaded = find_machine(settings)
    ring, document = loaded.ring, loaded.document
    kinds = Counter(e.type for e in document.elements)
    if as_json:
        print_json(
            {
                "machine": document.name, "title": document.title, "source": document.source,
                "energy_ev": document.energy_ev, "circumference_m": ring.circumference,
                "harmonic_number": ring.harmonic_number, "rf_hz": ring.rf_reference, "lattice": ring.nominal.id,
                "elements": dict(kinds), "optics": list(document.optics),
                "monitors": [{"name": bpm.name, "s_m": float(ring.s[bpm.element])} for bpm in ring.bpms],
                "supplies": [asdict(supply) for supply in supply_facts(ring.nominal)],
            }
        )  # fmt: skip
        return
    console = Console(emoji=False, highlight=False, soft_wrap=True)
    origin = escape(printable(loaded.origin))
    console.print(f"[bold]{escape(printable(document.name))}[/]: {escape(printable(document.title))} ({origin})")
    console.print(f"source: {escape(printable(document.source))}")
    for note in document.notes:
        console.print(f"  - {escape(printable(note))}")
    console.print(
        f"{document.energy_ev / 1e9:g} GeV, {ring.circumference:.6g} m, harmonic number {ring.harmonic_number}, "
        f"RF {ring.rf_reference / 1e3:.4f} kHz; nominal lattice {ring.nominal.id}"
    )
    console.print("elements: " + ", ".join(f"{n} {kind}" for kind, n in kinds.most_common()))
    optics = ", ".join(map(printable, document.optics)) or "nominal only"
    console.print(f"monitors: {len(document.monitors)}; optics: {optics}", markup=False)
    for name, lattice in ring.optics.items():
        if name in document.operating:
            energy, voltage = f"{lattice.energy_ev / 1e6:g} MeV", f"{lattice.voltage_v / 1e3:g} kV"
            console.print(f"  {printable(name)}: {energy}, cavity voltage {voltage}", markup=False)
    console.print(
        f"cavity voltage {ring.nominal.voltage_v / 1e3:g} kV; vertical emittance {document.coupling:g} of the "
        "horizontal one"
    )
    for switch in document.switches:
        states = ", ".join(map(printable, switch.states)) or f"{switch.low} to {switch.high}"
        console.print(f"switch {printable(switch.name)}: {states}", markup=False)
    known = served_prefix(name, config, prefix)
    under = f"PVs under {known!r}" if known is not None else "PVs"
    console.print(f"{under}: {len(pvs_of(loaded, settings.prefix))}", markup=False)
    print_table(
        [_supply_row(supply) for supply in supply_facts(ring.nominal)],
        {"name": "supply", "family": "family", "drives": "drives", "s": "s [m]", "nominal": "nominal [A]",
         "limits": "limits [A]", "per_ampere": "per A", "feeds": "feeds"},
        right=("nominal",),
        empty="no supplies",
    )  # fmt: skip


def served_prefix(name: str, config: Path | None, prefix: str | None) -> str | None:
    """Find the prefix under which a machine would be served: as given, or of the configuration beside its file.

    None for a file without one: whoever serves it gives the prefix.
    """
    from gnomon.ioc.base.config import ConfigError

    file = Path(name)
    if prefix is not None or config is not None or not file.is_file():
        return configure(config, machine=name, prefix=prefix).prefix
    beside = file.with_name(CONFIG)
    try:
        settings = configure(beside) if beside.is_file() else None
    except ConfigError:
        return None
    return settings.prefix if settings is not None and Path(settings.machine).absolute() == file.absolute() else None


def _supply_row(supply: "SupplyFacts") -> dict[str, str]:
    first = ", ".join(supply.magnets[:2])
    more = f" and {len(supply.magnets) - 2} more" if len(supply.magnets) > 2 else ""
    return {
        "name": supply.name,
        "family": supply.family,
        "drives": supply.drives,
        "s": f"{supply.s_m[0]:.3f}" + (f" to {supply.s_m[-1]:.3f}" if len(supply.s_m) > 1 else ""),
        "nominal": f"{supply.current:.4f}",
        "limits": f"{supply.low:g} to {supply.high:g}",
        "per_ampere": _per_ampere(supply),
        "feeds": first + more,
    }


def _per_ampere(supply: "SupplyFacts") -> str:
    """Format the strength that one ampere gives each magnet of a supply, or its range over the magnets."""
    low, high = min(supply.slopes), max(supply.slopes)
    number = f"{low:.5g}" if f"{low:.5g}" == f"{high:.5g}" else f"{low:.5g} to {high:.5g}"
    return f"{number} {supply.unit}"


@app.command()
def pvs(
    name: Name,
    wanted: Annotated[
        list[str] | None, typer.Argument(metavar="PATTERN", help="List PVs whose name matches: `'*:SETI'`, `'HS4P*'`.")
    ] = None,
    config: ConfigFile = None,
    prefix: Prefix = None,
    pvs: Pvs = None,
    names: Annotated[bool, typer.Option("--names", help="List only the names, one per line, for scripts.")] = False,
    as_json: Json = False,
) -> None:
    """List a machine's PVs, one per line: name, access, type, drive limits, unit, source and description.

    For example `gnomon machine pvs bessy2 'HS4P*:set'`. A pattern may be given with or without the prefix.
    """
    from rich.console import Console

    from gnomon.ioc.base.machines import find_machine, pvs_of
    from gnomon.lattice import DocumentError

    settings = configure(config, machine=name, prefix=served_prefix(name, config, prefix), pvs=pvs)
    specs = pvs_of(find_machine(settings), settings.prefix)
    patterns = [head + pattern for pattern in wanted or ["*"] for head in {"", settings.prefix}]
    shown = [spec for spec in specs if any(fnmatchcase(spec.name, pattern) for pattern in patterns)]
    if not shown:
        raise DocumentError(f"{name}: none of the {len(specs)} PVs matches {' '.join(wanted or ())}")
    if as_json:
        print_json([spec.name if names else _pv_document(spec) for spec in shown])
        return
    console = Console(emoji=False, highlight=False, markup=False, soft_wrap=True)
    rows = [[spec.name] for spec in shown] if names else [list(map(printable, _pv_row(spec))) for spec in shown]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        console.print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _pv_document(spec: "PvSpec") -> dict[str, object]:
    facts = {name: getattr(spec, name) for name in ("name", "source", "description", "device", "property", "unit")}
    more = {"type": str(spec.kind), "length": spec.length, "writable": spec.writable, "limits": spec.drive}
    return facts | more | {"states": list(spec.states)}


def _pv_row(spec: "PvSpec") -> list[str]:
    kind = f"{spec.kind}[{spec.length}]" if spec.length > 1 else str(spec.kind)
    limits = f"{spec.drive[0]:.6g} to {spec.drive[1]:.6g}" if spec.drive else ""
    return [spec.name, "rw" if spec.writable else "r", kind, limits, spec.unit, spec.source, spec.description]


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Machine documents (JSON).")],
    allow_unstable: Annotated[
        bool, typer.Option("--allow-unstable", help="Accept a ring that stores no beam with nominal settings.")
    ] = False,
) -> None:
    """Check machine documents: schema, names, references, limits, conversions, and a stored beam.

    For example `gnomon machine check my_ring.json`. The first error is reported with file, place and reason.
    """
    from rich.console import Console
    from rich.markup import escape

    from gnomon.ioc.base.config import Config
    from gnomon.ioc.base.machines import find_machine, pvs_of
    from gnomon.lattice import DocumentError
    from gnomon.propagator import Propagator

    console = Console(emoji=False, highlight=False, soft_wrap=True)
    for file in files:
        loaded = find_machine(Config(machine=str(file)))
        pvs = pvs_of(loaded, "")
        beam = Propagator(loaded.ring)(loaded.ring.nominal)
        if not (beam.found or allow_unstable):
            raise DocumentError(
                f"{file}: no beam with nominal settings: {beam.reason}. Check strengths, calibrations and the energy; "
                "--allow-unstable accepts the document nevertheless"
            )
        if beam.found:
            state = f"tunes {beam.tune[0]:.4f} {beam.tune[1]:.4f}"
        else:
            state = f"[yellow]no beam with nominal settings: {escape(printable(beam.reason))}[/]"
        shown = escape(printable(str(file)))
        console.print(f"{shown}: valid; {len(loaded.ring.elements)} elements, {len(pvs)} PVs, {state}")


@app.command("import")
@with_options("choice", ImportChoice)
def import_(
    file: Annotated[
        str,
        typer.Argument(help="Lattice file of another program, or mongodb://HOST/DATABASE with machines of lat2db."),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="Write the machine document to this file (.json).")],
    choice: ImportChoice,
    *,
    name: Annotated[str | None, typer.Option(help="Name of the machine.", show_default="the name in the file")] = None,
    slices: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1000,
            help="Number of slices of each thick magnet.",
            show_default="from the file, or as many as needed",
        ),
    ] = None,
    bare: Annotated[bool, typer.Option(help="Import only the ring, without power supplies and magnets.")] = False,
    pytac: Annotated[
        Path | None,
        typer.Option(help="Take devices and PV names from this folder: the pytac ring mode that belongs to the file."),
    ] = None,
) -> None:
    """Import a lattice file of another program; features that cannot be represented are listed and refused.

    For example `gnomon machine import ring.mat -o ring.json`. Each quadrupole, sextupole, octupole and
    steerer gets its own power supply, with an assumed conversion. With `--pytac`, supplies, conversions, limits and PV
    names come from pytac's tables, and a PV document is written beside the machine document. From a database that
    lat2db writes, `--use` chooses the machine by name or id.
    """
    from rich.console import Console

    from gnomon.lattice.exchange import add_pytac, render

    with _lattice_file(file, choice) as (path, how):
        imported = how.read(path, name, bare=bare or pytac is not None, slices=slices)
    if pytac is not None:
        document = add_pytac(imported, pytac)
        _write(out.with_name(f"{document['name']}.pvs.json"), render(document))
    _write(out, render(imported.document))
    console = Console(emoji=False, highlight=False, soft_wrap=True, markup=False)
    show_findings(console, imported)
    counts = {key: len(imported.document[key]) for key in ("elements", "supplies", "monitors")}
    say(f"{out}: " + ", ".join(f"{n} {key}" for key, n in counts.items()))


@contextmanager
def _lattice_file(place: str, choice: ImportChoice) -> Iterator[tuple[Path, ImportChoice]]:
    """Give the file to import, and how; a machine of a database becomes one for as long as it is read."""
    from gnomon.db.mongo_address import is_mongo_address, parse_mongo_address

    if not is_mongo_address(place):
        yield Path(place), choice
        return
    from tempfile import TemporaryDirectory

    from gnomon.db.lat2db_collection import lat2db_machine

    address = parse_mongo_address(place)
    machine = lat2db_machine(address, choice.use)
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{address.database}.json"
        path.write_text(json.dumps(machine, default=str), encoding="utf-8")
        yield path, replace(choice, format="lat2db", use=None)


def _write(out: Path, text: str) -> None:
    from gnomon.lattice.exchange import ExchangeError

    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ExchangeError(f"{out}: cannot be written: {error}") from error


@app.command()
@with_options("choice", LatticeChoice, without=("machine",))
def export(
    name: Name,
    format: Annotated[str, typer.Option(help="Format of the file: at-json, madx or elegant.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Write the lattice to this file.")],
    approximate: Annotated[
        bool, typer.Option(help="Leave out features that the format cannot express, instead of refusing.")
    ] = False,
    *,
    choice: LatticeChoice,
) -> None:
    """Write a machine's lattice for another program; features it cannot express are listed and refused.

    For example `gnomon machine export bessy2 --format madx -o bessy2.seq`, or with `--snapshot flat` as it was then.
    Without an option, the lattice is nominal.
    """
    from gnomon.lattice.exchange import export_machine, summary

    known = find_lattice(replace(choice, machine=name))
    findings = export_machine(known.lattice, format, out, approximate=approximate)
    if findings:
        say("\n".join(["not in the file:", *summary(findings)]))
    say(f"{out}: {len(known.lattice.ring.elements)} elements, {known.origin}")


app.command()(truth)
app.command()(diff)
app.command()(reload)
