"""All commands of `gnomon`, in the order of the help. A command's modules are imported when it runs."""

from collections.abc import Mapping
from typing import ClassVar

import typer

import gnomon
from gnomon.cli.lazy import Entry, LazyGroup

RUN, LOOK, CHANGE, MEASURE, MACHINES, STUDY = "Run", "Look", "Change", "Measure", "Machines", "Study"

#: All commands, in the order of the help. A test compares each help line with that of the command itself.
COMMANDS = (
    Entry(
        "serve",
        RUN,
        "Serve the digital shadow of a ring over Channel Access and PV Access until Ctrl-C.",
        "serve:serve",
    ),
    Entry(
        "fork",
        RUN,
        "Add, list and drop forks of a running twin, each with its own prefix, lattice and journal.",
        "fork:app",
    ),
    Entry(
        "services",
        RUN,
        "Serve lattices, beam, optics, responses, procedures and results over HTTP (REST) until Ctrl-C.",
        "services:services",
    ),
    Entry(
        "forward",
        RUN,
        "Send the journal and results on to MQTT, MongoDB, tiled and a logbook, and show how far each is.",
        "forward:app",
    ),
    Entry(
        "status",
        LOOK,
        "Show the running server: beam, tunes, orbit, model, faults, journal, clients, last commands.",
        "status:status",
    ),
    Entry(
        "doctor",
        LOOK,
        "Check ports, PV names, addresses, clock, disk, stores, brokers and kernels, and say what to do.",
        "doctor:doctor",
    ),
    Entry(
        "watch",
        LOOK,
        "Show the running server live in the terminal: orbit, tunes, commands, faults; step power supplies.",
        "watch.command:watch",
    ),
    Entry("get", LOOK, "Show values with unit, alarm and time.", "get:get"),
    Entry("monitor", LOOK, "Show values as they change, until Ctrl-C.", "monitor:monitor"),
    Entry("log", LOOK, "List, show, export, compare and undo the commands recorded in the journal.", "log:app"),
    Entry("put", CHANGE, "Write values and show old and new ones.", "put:put"),
    Entry(
        "restore",
        CHANGE,
        "Restore the settings that the running server had after a command, by one new command.",
        "log:restore",
    ),
    Entry(
        "snapshot",
        CHANGE,
        "Save, list, show, compare, restore, delete, export and import named snapshots of all setpoints.",
        "snapshot:app",
    ),
    Entry(
        "record",
        CHANGE,
        "Record commands of a running server under a name, to be reviewed, approved and replayed.",
        "record:app",
    ),
    Entry(
        "review",
        CHANGE,
        "Review a recording: show its effect by the model, make other versions of it, approve it.",
        "recording_review:app",
    ),
    Entry(
        "replay",
        CHANGE,
        "Show a recording as writes to a machine or, with --arm, make them one at a time, each behind the gate.",
        "replay:replay",
    ),
    Entry(
        "gate",
        CHANGE,
        "Check and write limits of the safety gate, and arm it; it is not machine protection.",
        "gate:app",
    ),
    Entry("audit", LOOK, "Check the audit log of replays and of other writes through the gate.", "audit:app"),
    Entry(
        "fault",
        CHANGE,
        "Add, list and clear faults of a running server; play scenarios of failures.",
        "fault:app",
    ),
    Entry(
        "measure",
        MEASURE,
        "Measure on a running machine: responses, chromaticity, alignment, optics, lifetime, aperture, losses.",
        "measure:app",
    ),
    Entry(
        "correct",
        MEASURE,
        "Propose settings that correct orbit, tunes, chromaticities or optics, and make them.",
        "correct:app",
    ),
    Entry(
        "calibrate",
        MEASURE,
        "Calibrate the confidence bounds of commands on a machine; list and show calibrations.",
        "calibrate:app",
    ),
    Entry("bump", MEASURE, "Make a closed bump by the steerers nearest to a monitor.", "bump:bump"),
    Entry(
        "results",
        MEASURE,
        "List, find, show, compare, export and serve results of measurements and corrections.",
        "results:app",
    ),
    Entry(
        "data",
        MEASURE,
        "Export, check, annotate and prune data; `gnomon results find` finds them.",
        "data:app",
    ),
    Entry(
        "machine",
        MACHINES,
        "List, show, check, import, export and reload machines, and list their PVs.",
        "machine:app",
    ),
    Entry(
        "store",
        MACHINES,
        "List, show, put and copy the documents of a store: machines, snapshots, results, reference orbits.",
        "store:app",
    ),
    Entry(
        "init",
        MACHINES,
        "Make a folder from a lattice file: machine, PV names, configuration, panels and systemd unit, ready to serve.",
        "init:init",
    ),
    Entry("config", MACHINES, "Show, check and explain the configuration of a server.", "config:app"),
    Entry(
        "panels",
        MACHINES,
        "Write panels for Phoebus (.bob): overview, orbit, monitors, power supplies by family, status.",
        "panels:panels",
    ),
    Entry("export", MACHINES, "Write a machine's devices for other packages and services.", "export:app"),
    Entry(
        "study",
        STUDY,
        "Compute tunes and optics, the orbit response, apertures, or matched settings of a machine.",
        "study:app",
    ),
    Entry(
        "compare",
        STUDY,
        "Compare two lattices: tunes, chromaticities, beta beating, orbit, dispersion, settings.",
        "study.compare:compare",
    ),
)


class Commands(LazyGroup):
    """The commands of gnomon."""

    entries = COMMANDS
    elsewhere: ClassVar[Mapping[str, str]] = {
        "undo": "log",
        **dict.fromkeys(("tune", "orm", "match", "aperture"), "study"),
    }


app = typer.Typer(
    name="gnomon",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="A digital shadow of a storage ring that any EPICS client can talk to.\n\n"
    "Start with `gnomon serve`; `--help` explains each command.\n\n"
    "Exit codes: 0 done; 1 refused, failed or different; 2 wrong use; 3 partly done.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gnomon {gnomon.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and exit."
    ),
) -> None:
    """Options of gnomon itself."""
