"""The process of one job: carries out a procedure, and tells its events as lines of JSON.

Started by `JobRunner` as `python -m gnomon.services.job_process`. The first line of standard input is the job. A second
line, or the end of the input when the services are gone, ends it as Ctrl-C does: the machine is put back.
"""

import json
import math
import os
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from gnomon.lattice import Lattice
    from gnomon.procedures.correcting import Proposal
    from gnomon.procedures.documents import Run
    from gnomon.procedures.plans import MeasuredRow
    from gnomon.procedures.runnable import Finished, Watcher
    from gnomon.recorder.apply import Applied

#: Time in which a server has to answer a request [s].
TIMEOUT_S = 10.0

#: Why no correction acts on a machine from here, and how it is done.
NO_GATE = "jobs of the services act on twins alone: they have no safety gate, which needs limits and a calibration"
TO_ACT = (
    "On the command line: gnomon calibrate measure, name the limits file as gate.limits in the configuration, then "
    'gnomon correct (or gnomon bump) with --apply; without "apply", this job proposes'
)


class Teller:
    """Writes events to the services. Once they are gone, events are dropped, and the job goes on to its end."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def tell(self, event: str, **content: Any) -> None:
        """Write one event."""
        line = json.dumps(_plain({"event": event, **content}), allow_nan=False, separators=(",", ":"))
        with self._lock:
            try:
                self._stream.write(line + "\n")
                self._stream.flush()
            except (OSError, ValueError):
                return


def main() -> NoReturn:
    """Carry out the job on standard input, and end the process."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
    told = Teller(_own_stdout())
    try:
        _end_of(told)
    finally:
        # Threads of EPICS libraries would keep the process for a while, or for ever.
        sys.stderr.flush()
        os._exit(0)


def _end_of(told: Teller) -> None:
    """Carry the job out, and tell how it ended."""
    try:
        job = json.loads(sys.stdin.readline())
        threading.Thread(target=_wait_for_cancel, daemon=True).start()
        finished = _carry_out(job, told)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        text = "cancelled while nothing was being moved; settings that a correction had made stay (gnomon log)"
        told.tell("end", state="stopped", message=text)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the services are told
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _tell_failure(told, error)
    else:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a cancel that comes now has nothing left to end
        _tell_end(told, finished)


def _own_stdout() -> IO[str]:
    """Keep standard output for events: what else is printed goes to standard error."""
    own = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return own


def _wait_for_cancel() -> None:
    sys.stdin.readline()
    os.kill(os.getpid(), signal.SIGINT)


def _carry_out(job: Mapping[str, Any], told: Teller) -> "Finished":
    told.tell("phase", phase="starting", text="")
    from gnomon.procedures.errors import ProcedureError
    from gnomon.procedures.results import Results
    from gnomon.procedures.runnable import checked_options, find_runnable, run_procedure
    from gnomon.procedures.scripting import connect
    from gnomon.procedures.user_scripts import load_script

    try:
        runnable = load_script(Path(job["script"])) if job["script"] else find_runnable(job["procedure"])
        options = checked_options(runnable, job["options"])
    except ProcedureError as error:
        told.tell("refused", message=f"{error}")
        raise
    told.tell("accepted")
    results = Results(Path(job["results"]), job["store"] or None, job.get("catalogue"))
    at = connect(job["prefix"], job["machine"] or None, results=results, timeout_s=TIMEOUT_S, report=_reporter(told))
    with at as machine:
        machine.bench.no_gate, machine.bench.to_act = NO_GATE, TO_ACT
        if getattr(options, "apply", False):  # said before the machine is measured, not after it
            machine.bench.check_may_act()
        finished = run_procedure(runnable, machine.bench, options, _watcher(told))
    # A client of the services gets its result from a stored run, of a proposal, too.
    proposed = tuple((run, results.save(run)) for run in finished.proposals)
    return replace(finished, runs=finished.runs + proposed)


def _reporter(told: Teller) -> Any:
    def report(event: str, step: Any, remark: str) -> None:
        text = f"{event} {step.pv} {step.target:.9g} {step.unit} {remark}".rstrip()
        told.tell("phase", phase="applying", text=text)

    return report


def _watcher(told: Teller) -> "Watcher":
    from gnomon.procedures.runnable import Watcher
    from gnomon.procedures.summaries import summarise

    class Telling(Watcher):
        """Tells the services what happens."""

        rows = 0

        def phase(self, name: str, text: str = "") -> None:
            told.tell("phase", phase=name, text=text)

        def row(self, row: "MeasuredRow", total: int) -> None:
            self.rows += 1
            told.tell(
                "row", row=self.rows, rows=max(total, self.rows), knobs=dict(row.knobs), group=row.group,
                time_s=row.time_s, values={name: _small(value) for name, value in row.values.items()},
            )  # fmt: skip

        def proposal(self, step: int, present: "Lattice", proposal: "Proposal", run: "Run") -> None:
            told.tell(
                "proposal", step=step,
                settings=[
                    {"device": key[0], "property": key[1], "present": present[key], "value": value,
                     "unit": present.ring.property_spec(*key).unit}
                    for key, value in proposal.settings.items()
                ],
                expected=_expected(proposal), summary=[line._asdict() for line in summarise(run)],
            )  # fmt: skip

        def applied(self, step: int, made: "Applied", run: "Run", file: Path) -> None:
            told.tell("applied", step=step, settings=made.done, lattice_id=made.lattice_id, result=run.name)

    return Telling()


def _expected(proposal: "Proposal") -> dict[str, Any]:
    expected = proposal.expectation
    return {
        "beam": expected.found,
        "reason": expected.reason,
        "tune_before": expected.tune_before,
        "tune_after": expected.tune_after,
        "largest_mm": expected.largest_mm,
        "rms_mm": expected.rms_mm,
    }


def _tell_end(told: Teller, finished: "Finished") -> None:
    from gnomon.procedures.errors import Interrupted
    from gnomon.procedures.summaries import summarise

    for run, _ in finished.runs:
        summary = [line._asdict() for line in summarise(run)]
        told.tell("stored", result=run.name, status=run.status, summary=summary)
    failure = finished.failure
    if failure is None:
        told_of = [f"{finished.applied} settings made"] if finished.applied else []
        told_of += [run.reason for run in finished.proposals]
        message = "; ".join(told_of)
        told.tell("end", state="done", message=message)
    elif isinstance(failure, Interrupted):
        told.tell("end", state="stopped", message=str(failure))
    else:
        _tell_failure(told, failure)


def _tell_failure(told: Teller, error: BaseException) -> None:
    from gnomon.lattice import GnomonError
    from gnomon.lattice.text import printable
    from gnomon.procedures.errors import reason_of

    stopped = isinstance(error, GnomonError) and getattr(error, "exit_code", 1) == 130
    known = isinstance(error, GnomonError | OSError | TimeoutError)
    text = reason_of(error) if known else f"{type(error).__name__}: {reason_of(error)}"
    if not known:
        import traceback

        traceback.print_exception(error)
    told.tell("end", state="stopped" if stopped else "failed", message=printable(text)[:2000])


def _small(value: Any) -> Any:
    """Return a number as it is, and of an array the rms."""
    import numpy as np

    values = np.asarray(value, dtype=float)
    return float(values) if values.ndim == 0 else {"rms": float(np.sqrt(np.nanmean(values**2)))}


def _plain(value: Any) -> Any:
    """Return what JSON has: lists instead of arrays, null instead of numbers that are not finite."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


if __name__ == "__main__":
    main()
