"""`gnomon study`: computations on a machine without a server, with results as JSON or HDF5 and a plot."""

import typer

from gnomon.cli.study import aperture, match, orm, tune

app = typer.Typer(
    no_args_is_help=True,
    help="Compute tunes and optics, the orbit response, apertures, or matched settings of a machine.",
)
app.command()(tune.tune)
app.command()(orm.orm)
app.command()(aperture.aperture)
app.command()(match.match)
