"""`gnomon init`: everything to serve a ring of one's own, in one folder."""

from pathlib import Path
from typing import Annotated

import typer

from gnomon.cli.import_options import ImportChoice, show_findings
from gnomon.cli.option_group import with_options
from gnomon.cli.output import say

CONFIG, PANELS, UNIT = "ioc_config.yaml", "panels", "gnomon.service"


@with_options("choice", ImportChoice)
def init(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Lattice file: .mat, .m, .json, .seq, .madx, .lte, .lat.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FOLDER", help="Write to this folder.", show_default="the file's stem"),
    ] = None,
    prefix: Annotated[str | None, typer.Option(help="Prefix of the PV names.", show_default="NAME:")] = None,
    *,
    choice: ImportChoice,
    name: Annotated[str | None, typer.Option(help="Name of the machine.", show_default="the folder's name")] = None,
) -> None:
    """Make a folder from a lattice file: machine, PV names, configuration, panels and systemd unit, ready to serve.

    For example `gnomon init ring.lte`, then `gnomon serve --config ring/ioc_config.yaml`. Nothing is written unless the
    ring is valid and stores a beam; a folder that is not empty is left alone.
    """
    from gnomon.lattice import DocumentError

    folder = out or Path(file.stem)
    if not file.is_file():  # before all that takes long to import
        raise DocumentError(f"{file}: {'not an ordinary file' if file.exists() else 'there is no such file'}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DocumentError(f"{folder}: exists and is not an empty folder; name another one with --out")

    import re
    import tempfile

    from rich.console import Console

    from gnomon.ioc.base.config import read_config
    from gnomon.ioc.base.machines import find_machine, pvs_of
    from gnomon.ioc.panels import make_panels
    from gnomon.lattice.exchange import render
    from gnomon.propagator import Propagator

    imported = choice.read(file, name or re.sub(r"\W+", "_", folder.absolute().name, flags=re.ASCII).lower())
    ring = str(imported.document["name"])
    document = imported.document | {"pvs": ring}
    machine, names = f"{ring}.json", f"{ring}.pvs.json"
    prefix = f"{ring.upper()[:29]}:" if prefix is None else prefix
    console = Console(emoji=False, highlight=False, soft_wrap=True, markup=False)
    show_findings(console, imported)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
            made = Path(temporary) / "made"
            made.mkdir()
            (made / machine).write_text(render(document), encoding="utf-8")
            (made / names).write_text(_pv_names(ring), encoding="utf-8")
            (made / CONFIG).write_text(_configuration(machine, prefix), encoding="utf-8")
            (made / UNIT).write_text(_unit(folder.absolute()), encoding="utf-8")
            loaded = find_machine(read_config(made / CONFIG))
            specs = pvs_of(loaded, prefix)
            beam = Propagator(loaded.ring)(loaded.ring.nominal)
            if not beam.found:
                raise DocumentError(
                    f"{file}: no beam with nominal settings: {beam.reason}. Check the lattice and its energy"
                )
            (made / PANELS).mkdir()
            for panel, content in make_panels(loaded.ring, specs, prefix).items():
                (made / PANELS / panel).write_bytes(content)
            made.replace(folder)
    except OSError as error:
        raise DocumentError(f"{folder}: cannot be written: {error}") from error
    say(
        f"{folder}: {len(loaded.ring.elements)} elements, {len(document['supplies'])} supplies, "
        f"{len(document['monitors'])} monitors, tunes {beam.tune[0]:.4f} {beam.tune[1]:.4f}"
    )
    for what, meaning in (
        (machine, "the ring: elements, power supplies with assumed conversions and limits, monitors"),
        (names, "PV names: one line for each kind of device"),
        (CONFIG, f"settings of the server; {len(specs)} PVs as {prefix!r}..."),
        (f"{PANELS}/overview.bob", "panels for Phoebus"),
        (UNIT, "systemd unit: see its first line"),
    ):
        say(f"  {what:<22} {meaning}")
    say(f"next: gnomon serve --config {folder / CONFIG}")


def _configuration(machine: str, prefix: str) -> str:
    """Write the shipped configuration with the machine and prefix of this ring; comments stay."""
    import json
    import re

    from gnomon.ioc.base.config import SHIPPED

    text = SHIPPED.read_text(encoding="utf-8")
    for key, value in (("machine", machine), ("prefix", prefix)):
        text, count = re.subn(rf"^{key}: \S+", f"{key}: {json.dumps(value)}", text, count=1, flags=re.MULTILINE)
        assert count == 1
    return text


def _pv_names(ring: str) -> str:
    """Write the shipped plain PV names under a name of this ring's own, to be edited."""
    from gnomon.db import pv_document

    return pv_document("plain").read_text(encoding="utf-8").replace('"name": "plain"', f'"name": "{ring}"')


def _unit(folder: Path) -> str:
    import getpass
    import sys

    program = Path(sys.executable).parent / "gnomon"
    return f"""\
# sudo cp {UNIT} /etc/systemd/system/ && sudo systemctl enable --now gnomon
[Unit]
Description=gnomon, digital shadow of {folder.name}
After=network.target

[Service]
Type=notify
User={getpass.getuser()}
ExecStart={program} serve --config {folder / CONFIG} --restore
Restart=on-failure
RestartSec=1

[Install]
WantedBy=multi-user.target
"""
