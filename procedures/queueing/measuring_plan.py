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
from gnomon.procedures.measuring import PendingMeasurement
from gnomon.procedures.one_at_a_time import only_one
from gnomon.procedures.plans import Recording

if TYPE_CHECKING:
    from gnomon.clients.bluesky_devices import RingDevices

__all__ = ["measuring_plan"]

T = TypeVar("T")
Plan = Generator[Msg, Any, T]

#: Progress is told this often in a measurement.
TOLD = 10


def measuring_plan(
    name: str,
    prepare: Callable[[MachineSession, "RingDevices", Recording], PendingMeasurement],
    devices: "RingDevices",
    open_session: Callable[[], MachineSession],
    keep: Callable[[Run], object],
    say: Callable[[str], None],
) -> Plan[str]:
    """Measure with the devices of the worker, and hand the run to `keep`, also if it failed or was aborted.

    Returns the run's name, which is in the start document, too (`gnomon.run`). The machine is left as it was found.
    Raises what the devices and the analysis raise, BusyError with another procedure at the prefix.
    """
    # One thread of its own: clients of Channel Access stay in the thread that made them.
    with ThreadPoolExecutor(1, thread_name_prefix="procedure") as executor:
        session = yield from _beside(executor, open_session)
        recording = Recording(notice=lambda text: say(f"{name}: {text}"))
        recording.listener = lambda _: _tell(recording, name, say)
        try:
            with only_one(session.client.target, name):
                pending = yield from _beside(executor, lambda: prepare(session, devices, recording))
                return (yield from _measured(executor, pending, session, keep))
        finally:
            executor.submit(session.client.close).result()


def _measured(
    executor: ThreadPoolExecutor, pending: PendingMeasurement, session: MachineSession, keep: Callable[[Run], object]
) -> Plan[str]:
    told = {
        "run": pending.name,
        "procedure": pending.procedure,
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
            run, wrong = yield from _beside(executor, lambda: _analysed(pending, data, failure))
            yield from _beside(executor, lambda: keep(run))
            if wrong is not None:
                raise wrong
    return pending.name


def _analysed(
    pending: PendingMeasurement, data: Any, failure: BaseException | None
) -> tuple[Run, BaseException | None]:
    """Analyse; if that fails, the run has the raw data and the reason, which is returned, too."""
    stopped = isinstance(failure, RequestAbort | RequestStop)
    try:
        return pending.finished(data, failure, stopped), None
    except Exception as error:
        if data is None:
            raise
        return pending.document(data, None, None, error, False), error


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
