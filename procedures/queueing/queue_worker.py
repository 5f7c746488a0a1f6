"""The namespace of a queue's worker: Run Engine, devices of the ring, plans of Bluesky, procedures as plans."""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gnomon.procedures.errors import ProcedureError

if TYPE_CHECKING:
    from gnomon.procedures.documents import Run
    from gnomon.procedures.machine_session import MachineSession
    from gnomon.procedures.measuring import PendingMeasurement
    from gnomon.procedures.plans import Recording
    from gnomon.procedures.procedure_options import ProcedureOptions
    from gnomon.procedures.runnable import Runnable

__all__ = ["WorkerSettings", "worker_namespace"]

#: Plans of Bluesky that are offered besides the procedures.
BLUESKY_PLANS = ("count", "grid_scan", "list_scan", "rel_grid_scan", "rel_list_scan", "rel_scan", "scan")
#: Its pieces that are plans by themselves.
BLUESKY_STUBS = ("mv", "mvr", "sleep")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """A ring, the protocol of its devices, where results go, as in `Results`, and the folder of user scripts."""

    machine: str = "bessy2"
    prefix: str = "TWIN:"
    protocol: Literal["pva", "ca"] = "pva"
    pvs: str | None = None
    results: Path
    store: str | None = None
    catalogue: str | None = None
    scripts: Path | None = None


def worker_namespace(**settings: Any) -> dict[str, Any]:
    """Make what a worker of bluesky-queueserver offers, by name.

    Keywords are those of WorkerSettings, folders also as texts. Nothing is connected: a device is when a plan first
    uses it, so that the worker starts before the ring's server. Raises ProcedureError without the extra,
    and DocumentError.
    """
    paths = {name: Path(settings[name]) for name in ("results", "scripts") if settings.get(name) is not None}
    told = WorkerSettings(**{**settings, **paths})
    try:
        import bluesky_queueserver  # noqa: F401
        from bluesky import RunEngine, plan_stubs, plans
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        raise ProcedureError(
            f"the queue needs {missing}, which is not installed: pip install 'gnomon[queue]'"
        ) from error
    from gnomon.clients import devices
    from gnomon.clients.bluesky_devices import reach_server
    from gnomon.procedures.nexus import require_h5py
    from gnomon.procedures.queueing.connecting import connecting

    require_h5py()
    ring = devices(told.machine, prefix=told.prefix, protocol=told.protocol, pvs=told.pvs)
    engine: Any = RunEngine({"machine": told.machine, "prefix": told.prefix})
    # The ring's server may start after the worker.
    engine.preprocessors.append(connecting(partial(reach_server, told.machine, told.prefix)))
    offered = {name: getattr(plans, name) for name in BLUESKY_PLANS}
    offered |= {name: getattr(plan_stubs, name) for name in BLUESKY_STUBS}
    return {"RE": engine, **_devices(ring), **offered, **_procedures(told, ring)}


def _devices(ring: Any) -> dict[str, Any]:
    """Collect the devices that can be set or read, by names that Python takes."""
    found = {name: ring.single[name] for name in ring.single}
    found |= {name: ring.supplies[name] for name in ring.supplies}
    found |= {name: ring.others[name] for name in ring.others}
    return {re.sub(r"\W", "_", name): device for name, device in found.items()}


def _procedures(settings: WorkerSettings, ring: Any) -> dict[str, Callable[..., Any]]:
    """Make a plan of each procedure that measures, and of each user script."""
    from gnomon.procedures.queueing.plan_signature import plan_with_options
    from gnomon.procedures.runnable import RUNNABLE
    from gnomon.procedures.user_scripts import load_scripts

    scripts, broken = load_scripts(settings.scripts)
    for error in broken:
        _say(f"attention: {error}")
    return {
        (plan := name.replace("-", "_")): plan_with_options(
            plan, each.title, each.options, partial(_measure, each, settings, ring)
        )
        for name, each in {**RUNNABLE, **scripts}.items()
        if each.prepare is not None
    }


def _measure(runnable: "Runnable", settings: WorkerSettings, ring: Any, options: "ProcedureOptions") -> Any:
    from gnomon.procedures.queueing.measuring_plan import measuring_plan

    def prepare(session: "MachineSession", devices: Any, recording: "Recording") -> "PendingMeasurement":
        assert runnable.prepare is not None
        return runnable.prepare(session, devices, options, recording)

    return measuring_plan(runnable.name, prepare, ring, partial(_open, settings), partial(_keep, settings), _say)


def _open(settings: WorkerSettings) -> "MachineSession":
    """Connect to the server for a procedure."""
    from gnomon.clients.epics_client import EpicsClient
    from gnomon.clients.server_choice import choose_server
    from gnomon.procedures.machine_session import MachineSession
    from gnomon.procedures.results import Results, fit_of

    client = EpicsClient(choose_server(settings.prefix), settings.protocol, timeout_s=10.0)
    results = Results(settings.results, settings.store)
    return MachineSession(client, settings.machine, settings.pvs, partial(fit_of, results))


def _keep(settings: WorkerSettings, run: "Run") -> None:
    """Store a run, and show its outcome in the console of the worker."""
    from gnomon.procedures.results import NotPublishedError, Results
    from gnomon.procedures.summaries import summarise

    results = Results(settings.results, settings.store, settings.catalogue)
    path = results.save(run)
    for line in summarise(run):
        _say(f"  {line.name}: {line.value} {line.unit}".rstrip())
    _say(f"{run.name}: {run.status}; {path}")
    try:
        results.publish(path)
    except NotPublishedError as error:  # the run is kept, and the queue goes on
        _say(f"attention: {error}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
