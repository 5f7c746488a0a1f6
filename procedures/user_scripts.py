"""User scripts: Python files with a plan and an analysis, which become procedures without further work.

Loading a script executes it: the services do it in processes of their own alone (`script_descriptions`).
"""

import importlib.util
import inspect
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

from pydantic import ValidationError

from gnomon.lattice.text import printable
from gnomon.procedures.documents import Data, Outcome, Parameters, Plain, now
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.measuring import PendingMeasurement
from gnomon.procedures.procedure_options import ProcedureOptions
from gnomon.procedures.registry import PROCEDURES, Procedure, register
from gnomon.procedures.results import new_name
from gnomon.procedures.runnable import RUNNABLE, Prepare, Runnable, measurement

__all__ = ["BrokenScriptError", "ScriptParameters", "load_script", "load_scripts", "script_files", "script_name"]

#: Name of a script: that of its file, with `-` for `_`.
NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
#: Time in which a script has to be loaded [s], and number of times that it is interrupted, each second, after that.
LOAD_S, MAX_FIRED = 20.0, 5
#: Maximum number of scripts in a folder.
MAX_SCRIPTS = 100


class BrokenScriptError(ProcedureError):
    """A user script that cannot be used; the text says file, line, reason and remedy."""

    def __init__(self, file: Path, line: int | None, reason: str, remedy: str) -> None:
        self.file = file
        where = f"{file}, line {line}" if line else f"{file}"
        super().__init__(printable(f"{where}: {reason}; {remedy}"))


class ScriptParameters(Parameters):
    """Parameters of a script's analysis: its options."""

    options: Plain


@dataclass(frozen=True)
class _Parts:
    """The parts of a script: its functions, and the types that their annotations name."""

    plan: Callable[..., Any]
    analyse: Callable[[Any, Any], Outcome]
    options: type[ProcedureOptions]
    data: type[Data]
    outcome: type[Outcome]


def script_name(file: Path) -> str:
    """Return the name of a script's procedure."""
    return file.stem.replace("_", "-").lower()


def script_files(folder: Path) -> list[Path]:
    """List the scripts of a folder: files with the ending `.py`, but for those that begin with `_` or `.`."""
    found = sorted(file for file in folder.glob("*.py") if file.name[0] not in "_." and file.is_file())
    return found[:MAX_SCRIPTS]


def load_scripts(folder: Path | None) -> tuple[dict[str, Runnable], list[BrokenScriptError]]:
    """Load all scripts of a folder: procedures by name, and those that cannot be used. A missing folder is empty."""
    loaded: dict[str, Runnable] = {}
    broken: list[BrokenScriptError] = []
    for file in script_files(folder) if folder is not None else ():
        try:
            runnable = load_script(file)
        except BrokenScriptError as error:
            broken.append(error)
        else:
            loaded[runnable.name] = runnable
    return loaded, broken


def load_script(file: Path) -> Runnable:
    """Execute a script, and make its procedure known, so that its runs can be stored, shown and analysed again.

    Raises BrokenScriptError.
    """
    name = script_name(file)
    if not NAME.fullmatch(name):
        raise BrokenScriptError(
            file,
            None,
            "its name is not that of a procedure",
            "use small letters, digits and _, a letter first, up to 40",
        )
    if name in RUNNABLE or (name in PROCEDURES and PROCEDURES[name].parameters is not ScriptParameters):
        raise BrokenScriptError(file, None, f"gnomon has a procedure {name} already", "give the file another name")
    parts = _parts_of(_execute(file, name), file)

    def analyse(data: Data, parameters: ScriptParameters) -> Outcome:
        found = parts.analyse(data, parts.options.model_validate(parameters.options))
        checked: Outcome = _checked(found, parts.outcome, "analyse")
        return checked

    title = (inspect.cleandoc(sys.modules[_module_name(name)].__doc__ or "").splitlines() or [name])[0].rstrip(".")
    register(Procedure(name, title, parts.data, ScriptParameters, parts.outcome, analyse, ("outcome", (), "")))
    return measurement(name, title, "script", parts.options, _prepared(name, parts))


def _module_name(name: str) -> str:
    return f"gnomon_script_{name.replace('-', '_')}"


def _execute(file: Path, name: str) -> ModuleType:
    """Import a script under a name that nothing else has."""
    module_name = _module_name(name)
    spec = importlib.util.spec_from_file_location(module_name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        with _within(LOAD_S, file):
            spec.loader.exec_module(module)
    except _TooSlowError as error:
        raise BrokenScriptError(
            file, _line(error, file), f"it was not loaded within {LOAD_S:g} s",
            "begin nothing and wait for nothing outside of its functions",
        ) from error  # fmt: skip
    except SyntaxError as error:
        raise BrokenScriptError(file, error.lineno, f"it is not Python: {error.msg}", "correct it") from error
    except ImportError as error:
        raise BrokenScriptError(file, _line(error, file), f"{error}", "install what it needs, or correct it") from error
    except (Exception, SystemExit) as error:  # of any kind: it is a user's
        raise BrokenScriptError(file, _line(error, file), f"{type(error).__name__}: {error}", "correct it") from error
    return module


class _TooSlowError(BaseException):
    """Ends a script that takes too long; not an Exception, which it might catch."""


@contextmanager
def _within(limit_s: float, file: Path) -> Iterator[None]:
    """Raise _TooSlowError where the code in the context is after a time, and end the process if that does not end it.

    Only in the main thread: others cannot be interrupted. Code of libraries that never returns is not ended either.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return
    fired = 0

    def late(*_: Any) -> None:
        nonlocal fired
        fired += 1
        if fired >= MAX_FIRED:
            sys.stderr.write(f"gnomon: {printable(str(file))}: it does not end when it is loaded; the process ends\n")
            sys.stderr.flush()
            os._exit(1)
        raise _TooSlowError

    before = signal.signal(signal.SIGALRM, late)
    others = signal.setitimer(signal.ITIMER_REAL, limit_s, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *others)


def _line(error: BaseException, file: Path) -> int | None:
    """Return the line of a script at which an error arose."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return lines[-1] if lines else None


def _parts_of(module: ModuleType, file: Path) -> _Parts:
    """Find the functions and types of a script. Raises BrokenScriptError."""
    plan, analyse = (_function(module, file, *each) for each in (("plan", 3), ("analyse", 2)))
    options = getattr(module, "Options", ProcedureOptions)
    if not (isinstance(options, type) and issubclass(options, ProcedureOptions)):
        raise BrokenScriptError(
            file, _class_line(options), "Options is not a class of options",
            "write `class Options(ProcedureOptions)`, from gnomon.procedures.procedure_options",
        )  # fmt: skip
    line = analyse.__code__.co_firstlineno
    try:
        hints = get_type_hints(analyse)
    except Exception as error:
        raise BrokenScriptError(file, line, f"annotations of analyse: {error}", "correct them") from error
    first = next(iter(inspect.signature(analyse).parameters))
    data, outcome = hints.get(first), hints.get("return")
    for found, kind, where in ((data, Data, f"its first parameter {first}"), (outcome, Outcome, "what it returns")):
        if not (isinstance(found, type) and issubclass(found, kind)):
            raise BrokenScriptError(
                file, line, f"analyse does not say the type of {where}",
                f"annotate it with a class made of gnomon.procedures.documents.{kind.__name__}",
            )  # fmt: skip
    assert isinstance(data, type)
    assert isinstance(outcome, type)
    return _Parts(plan, analyse, options, data, outcome)


def _function(module: ModuleType, file: Path, name: str, count: int) -> Any:
    wanted = {"plan": "plan(ring, options, recording)", "analyse": "analyse(data, options)"}[name]
    found = getattr(module, name, None)
    if not inspect.isfunction(found):
        raise BrokenScriptError(file, None, f"it has no function {name}", f"write `def {wanted}`")
    if len(inspect.signature(found).parameters) != count:
        raise BrokenScriptError(
            file, found.__code__.co_firstlineno, f"{name} does not have {count} parameters", f"write `def {wanted}`"
        )
    return found


def _class_line(found: Any) -> int | None:
    try:
        return inspect.getsourcelines(found)[1]
    except (TypeError, OSError):
        return None


def _checked(value: Any, kind: type[Any], where: str) -> Any:
    if not isinstance(value, kind):
        raise ProcedureError(f"{where} returned {type(value).__name__} and not {kind.__name__}; correct the script")
    return value


def _prepared(name: str, parts: _Parts) -> Prepare:
    """Make what prepares a script; what it moves is put back, however it ends."""

    def prepare(session: Any, devices: Any, options: ProcedureOptions, recording: Any) -> PendingMeasurement:
        from gnomon.procedures.plans import restoring_what_moves

        def measured() -> Any:
            data = yield from restoring_what_moves(_plan(parts, devices, options, recording))
            return _checked(data, parts.data, "plan")

        def finish(_: Any) -> Parameters:
            return ScriptParameters(options=options.model_dump(mode="json"))

        return PendingMeasurement(
            new_name(name), name, measured(), finish, session, recording, options.note, session.state(), now()
        )

    return prepare


def _plan(parts: _Parts, devices: Any, options: ProcedureOptions, recording: Any) -> Any:
    """Run a script's plan; an error of its own is told with its line."""
    from bluesky.utils import RequestAbort

    from gnomon.lattice import GnomonError

    try:
        return (yield from parts.plan(devices, options, recording))
    except (GnomonError, OSError, TimeoutError, RequestAbort, GeneratorExit):
        raise
    except Exception as error:
        if type(error).__module__.startswith("bluesky"):
            raise
        file = Path(parts.plan.__code__.co_filename)
        reason = f"{type(error).__name__}: {error}"
        if isinstance(error, ValidationError):
            reason = f"the data that plan returns: {error.errors()[0]['msg']} ({error.errors()[0]['loc']})"
        raise BrokenScriptError(file, _line(error, file), reason, "correct it; the machine was put back") from error
