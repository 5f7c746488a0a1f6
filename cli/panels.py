"""`gnomon panels`: operator panels for Phoebus."""

from pathlib import Path
from typing import Annotated

import typer

from gnomon.cli.options import Calibration, ConfigFile, Machine, Prefix, Pvs, configure
from gnomon.cli.output import say


def panels(
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Write the panels to this folder; it is created if needed.")
    ] = Path("panels"),
    machine: Machine = None,
    prefix: Prefix = None,
    pvs: Pvs = None,
    procedures: Annotated[
        str | None,
        typer.Option(
            metavar="PREFIX",
            help="Add a panel that starts procedures: the prefix of their PVs, as given to `gnomon services --pvs`.",
        ),
    ] = None,
    calibration: Calibration = None,
    config: ConfigFile = None,
) -> None:
    """Write panels for Phoebus (.bob): overview, orbit, monitors, power supplies by family, status.

    For example `gnomon panels --machine mls --out panels/mls`, then open `overview.bob` in Phoebus. Give the same
    --machine, --prefix, --pvs and --calibration as to `gnomon serve`.
    """
    from gnomon.ioc.base.machines import find_machine, pvs_of
    from gnomon.ioc.panels import make_panels
    from gnomon.lattice import DocumentError

    settings = configure(config, machine=machine, prefix=prefix, pvs=pvs, calibration=calibration)
    loaded = find_machine(settings)
    started = None
    if procedures is not None:
        from gnomon.services.procedure_pv_specs import procedure_specs

        started = procedures, procedure_specs(procedures)
    made = make_panels(loaded.ring, pvs_of(loaded, settings.prefix), settings.prefix, started)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, content in made.items():
            (out / name).write_bytes(content)
    except OSError as error:
        raise DocumentError(f"{out}: panels cannot be written: {error}") from error
    say(f"{len(made)} panels for {loaded.document.title} written to {out}; open {out / 'overview.bob'} in Phoebus")
