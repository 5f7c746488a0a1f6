"""Files of the accelerator toolbox itself: `.mat`, its JSON, its m-files, and the text of its elements in Python."""

import contextlib
import importlib
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from gnomon.lattice.exchange.at_repr import read_elements
from gnomon.lattice.exchange.findings import ExchangeError, Finding
from gnomon.lattice.exchange.foreign import ForeignRing
from gnomon.lattice.exchange.source_files import read_json, read_text
from gnomon.lattice.exchange.toolbox import Places, from_toolbox, load_toolbox, without_warnings
from gnomon.lattice.text import shorten

#: What a cavity or a steerer must have in pyAT, and has where a file leaves it out. A harmonic number of 0 is found
#: from the frequency afterwards.
LEFT_OUT: dict[str, dict[str, Any]] = {
    "RFCavity": {"Voltage": 0.0, "Frequency": 0.0, "HarmNumber": 0, "Energy": 0.0},
    "Corrector": {"KickAngle": [0.0, 0.0]},
}

SCRIPT = re.compile(r"\b(FAMLIST|buildlat)\b")
SCRIPT_ADVICE = (
    "run it in Matlab, and import what it leaves: save('ring.mat', 'THERING') with --format at-mat, or "
    "atwritem(THERING, 'ring.m') with --format at-m"
)


def read_at(file: Path, format: str, use: str | None, energy_ev: float | None) -> ForeignRing:
    """Read a file of one of the four formats.

    Raises ExchangeError with the element at fault, or what the file is instead; other errors are pyAT's.
    """
    at = load_toolbox()
    energy = {} if energy_ev is None else {"energy": energy_ev}
    places: Places = _numbered
    with without_warnings() as messages, _mended(file):
        match format:
            case "at-mat":
                ring = _load_mat(at, file, use, energy)
            case "at-m":
                _check_script(file)
                ring = at.load_m(file, **energy)
                places = _m_lines(file)
            case "at-repr":
                properties, elements = read_elements(file)
                ring = at.Lattice([_mend(e, i, file) for i, e in enumerate(elements)], **(properties | energy))
                places = _repr_lines
            case _:
                data = read_json(file, "at-json", nan=True)
                if not isinstance(data, dict) or not ({"atjson", "__class__"} & data.keys()):
                    raise ExchangeError(f"{file}: not at-json: it has neither 'atjson' nor an xsuite line")
                ring = at.load_json(file, use=use, **energy)
    return from_toolbox(ring, places, _skipped(messages))


def _load_mat(at: Any, file: Path, use: str | None, energy: dict[str, float]) -> Any:
    with file.open("rb") as stream:
        head = stream.read(128)
    if not head.startswith((b"MATLAB", b"\x89HDF")) and not (len(head) >= 20 and b"\0" in head[:20]):
        text = head.decode("utf-8", "replace")
        if SCRIPT.search(read_text(file, "at-mat")):
            raise ExchangeError(f"{file}: not at-mat: it is a script of AT 1 (FAMLIST, buildlat): {SCRIPT_ADVICE}")
        raise ExchangeError(f"{file}: not at-mat: not a file of Matlab; it begins with {shorten(text, 30)}")
    try:
        return at.load_mat(file, check=False, **({"use": use} if use else {}), **energy)
    except at.AtError as error:
        found = re.search(r"please select in: \[(.*)\]", str(error))
        if found is None:
            raise
        name = use or "RING"
        raise ExchangeError(f"{file}: no variable {name!r}: give --use; there are: {found[1] or 'none'}") from error


def _check_script(file: Path) -> None:
    """Raise ExchangeError for an m-file that is not one of elements, one a line."""
    text = read_text(file, "at-m")
    if SCRIPT.search(text):
        raise ExchangeError(f"{file}: not at-m: it is a script of AT 1 (FAMLIST, buildlat): {SCRIPT_ADVICE}")
    if not re.match(r"\s*function\b", text):
        raise ExchangeError(f"{file}: not at-m: a file that atwritem wrote begins with 'function ring ='")


@contextlib.contextmanager
def _mended(file: Path) -> Iterator[None]:
    """pyAT's readers make elements through `_mend` while the context lasts."""
    modules = [importlib.import_module(f"at.load.{name}") for name in ("matfile", "json")]
    made: Callable[..., Any] = modules[0].element_from_dict

    def mended(elem_dict: dict[str, Any], index: int | None = None, **options: Any) -> Any:
        return _mend(elem_dict, index, file, made, **options)

    for module in modules:
        vars(module)["element_from_dict"] = mended
    try:
        yield
    finally:
        for module in modules:
            vars(module)["element_from_dict"] = made


def _mend(
    given: dict[str, Any], index: int | None, file: Path, make: Callable[..., Any] | None = None, **options: Any
) -> Any:
    """An element of pyAT from its attributes, with what may be left out. Raises ExchangeError that names it."""
    make = make or importlib.import_module("at.load.utils").element_from_dict
    name, kind = str(given.get("FamName", "?")), str(given.get("Class", "element"))
    where = f"{file}: element {(index or 0) + 1} {shorten(name)}"
    attributes = dict(given)
    looks_like_cavity = kind == "RFCavity" or str(given.get("PassMethod", "")).endswith("CavityPass")
    for key, value in LEFT_OUT.get("RFCavity" if looks_like_cavity else kind, {}).items():
        if _nothing(attributes.get(key)):
            attributes[key] = value
    if "KickAngle" in attributes:
        attributes["KickAngle"] = _pair(attributes["KickAngle"], f"{where}: KickAngle")
    try:
        return make(attributes, index=index, **options)
    except Exception as error:
        reason = shorten(" ".join(str(error).split()) or type(error).__name__, 200)
        raise ExchangeError(f"{where}: {kind} cannot be made: {type(error).__name__} {reason}") from error


def _nothing(value: Any) -> bool:
    return value is None or (hasattr(value, "size") and value.size == 0) or (isinstance(value, list) and not value)


def _pair(value: Any, where: str) -> list[float]:
    """Both kicks; a single number may only be 0, since its plane is not said."""
    import numpy as np

    try:
        numbers = np.ravel(np.asarray(value, dtype=float)).tolist()
    except (TypeError, ValueError) as error:
        raise ExchangeError(f"{where}: {shorten(str(value))} is not two numbers") from error
    if len(numbers) != 2 and any(numbers):
        raise ExchangeError(f"{where}: {shorten(str(value))}: there must be two kicks [rad], horizontal and vertical")
    return [float(n) for n in numbers] if len(numbers) == 2 else [0.0, 0.0]


def _skipped(messages: Sequence[str]) -> list[Finding]:
    """Lines of an m-file that pyAT did not understand; it counts them from 0 after the first two."""
    found = [re.match(r"(?:Invalid line|Line) (\d+)", message) for message in messages]
    return [Finding("?", "line", "", "not understood by the reader", f"line {int(m[1]) + 3}") for m in found if m]


def _numbered(index: int, name: str) -> str:
    return f"element {index + 1}"


def _repr_lines(index: int, name: str) -> str:
    return f"line {index + 2}"


def _m_lines(file: Path) -> Places:
    """Lines of the elements of an m-file, as pyAT counts them: one a line after the first two, up to `};`."""
    lines = []
    for number, line in enumerate(read_text(file, "at-m").splitlines(), 1):
        if number > 2:
            if line.startswith("};"):
                break
            if "RingParam" not in line and "ringparam" not in line and "(" in line:
                lines.append(number)
    return lambda index, name: f"line {lines[index]}" if index < len(lines) else f"element {index + 1}"
