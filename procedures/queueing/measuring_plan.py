"""A measurement as one plan, from the present settings to the stored run; what blocks is done beside the Run Engine."""

import asyncio
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
from bluesky.utils import FailedStatus, Msg, RequestAbort, RequestStop

from gnomon.lattice import GnomonError
from gnomon.procedures.documents import Run
from gnomon.procedures.machine_session import MachineSession
from gnomon.procedures.measuring import MeasureOptions, prepare_measurement
from gnomon.procedures.plans import Recording
from gnomon.procedures.procedure_options import ProcedureOptions

if TYPE_CHECKING:
    from gnomon.clients.bluesky_devices import RingDevices

__all__ = ["measuring_plan"]

T = TypeVar("T")
Plan = Generator[Msg, Any, T]

#: Progress is told this often in a measurement.
TOLD = 10


def measuring_plan(
    name: str,
    options: MeasureOptions | ProcedureOptions,
    devices: "RingDevices",
    open_session: Callable[[], MachineSession],
    keep: Callable[[Run], object],
    say: Callable[[str], None],
) -> Plan[str]:
    """Measure with the devices of the worker, and hand the run to `keep`, also if it failed or was aborted.

    Returns the run's name, which is in the start document, too (`gnomon.run`). The machine is left as it was found.
    Raises what the devices raise.
    """
    # One thread of its own: clients of Channel Access stay in the thread that made them.
    with ThreadPoolExecutor(1, thread_name_prefix="procedure") as executor:
        session = yield from _beside(executor, open_session)
        try:
            return (yield from _measured(executor, name, options, devices, session, keep, say))
        finally:
            executor.submit(session.client.close).result()


def _measured(
    executor: ThreadPoolExecutor,
    name: str,
    options: MeasureOptions | ProcedureOptions,
    devices: "RingDevices",
    session: MachineSession,
    keep: Callable[[Run], object],
    say: Callable[[str], None],
) -> Plan[str]:
    recording = Recording(notice=say)
    recording.listener = lambda _: _tell(recording, name, say)
    pending = yield from _beside(executor, lambda: prepare_measurement(name, session, devices, options, recording))
    told = {
        "run": pending.name,
        "procedure": name,
        "machine": session.machine,
        "prefix": session.prefix,
        "lattice_id": pending.before.lattice_id,
    }
    failure: BaseException | None = None
    data = None
    try:
        data = yield from bpp.inject_md_wrapper(pending.plan, {"gnomon": told})  # type: ignore[no-untyped-call]
    except FailedStatus as error:
        failure = error.__cause__ or error
        raise
    except (GnomonError, OSError, TimeoutError, RequestAbort, RequestStop) as error:
        failure = error
        raise
    finally:
        if data is not None or failure is not None:
            stopped = isinstance(failure, RequestAbort | RequestStop)
            run = yield from _beside(executor, lambda: pending.finished(data, failure, stopped))
            yield from _beside(executor, lambda: keep(run))
    return pending.name


def _tell(recording: Recording, name: str, say: Callable[[str], None]) -> None:
    """Tell how far a measurement is, now and then."""
    done, total = len(recording.rows), max(recording.total, 1)
    if done == total or done * TOLD // total > (done - 1) * TOLD // total:
        say(f"{name}: {done} of {recording.total} readings")


def _beside(executor: ThreadPoolExecutor, work: Callable[[], T]) -> Plan[T]:
    """Do blocking work while the Run Engine goes on; raises what it raises."""

    async def done() -> T:
        return await asyncio.get_running_loop().run_in_executor(executor, work)

    (task,) = yield from bps.wait_for([done])
    found: T = task.result()
    return found
