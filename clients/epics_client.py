"""A client of one running twin, over PV Access or Channel Access: names without prefix, wildcards, near names."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import Any, Literal, Protocol

from gnomon.clients.errors import ClientError, NoAnswerError, NotFoundError
from gnomon.clients.reading import Reading
from gnomon.clients.sampled_values import SampledValues, Sampler
from gnomon.clients.server_choice import Target
from gnomon.db.canonical_name import canonical_name

__all__ = ["EpicsClient", "PvClient", "PvInfo", "to_send"]

ProtocolName = Literal["pva", "ca"]

#: Time after which a PV without an answer is looked for in the list of PVs that the server has [s].
FIRST_WAIT_S = 0.7
_WILDCARDS = "*?["
#: Every twin has this PV: why there is no beam.
REASON = "dt:reason"


class PvClient(Protocol):
    """A client of one protocol, for names with their prefix; see `PvaClient`."""

    def get(self, names: Sequence[str], timeout_s: float) -> list[Reading | None]:
        """Read PVs; None for one that no server answers in time."""
        ...

    def put(self, name: str, value: Any, timeout_s: float, *, wait: bool = True) -> None:
        """Write a PV; a state by its number."""
        ...

    def monitor(self, name: str, callback: Callable[[Reading | None], None]) -> Callable[[], None]:
        """Have `callback` called with each new reading; returns a function that ends it."""
        ...

    def sampler(self) -> Sampler:
        """Make subscriptions whose news are asked for."""
        ...

    def close(self) -> None:
        """Disconnect."""
        ...


@dataclass(frozen=True, slots=True)
class PvInfo:
    """A server's description of one of its PVs (`dt:pvs`); `source` names the value that it shows or sets."""

    name: str
    source: str
    device: str
    property: str
    unit: str
    writable: bool
    description: str


class EpicsClient:
    """A client of one twin. Close it, or use it as a context manager.

    Names are taken with or without the twin's prefix. `timeout_s` is the time that a server has to answer.
    """

    def __init__(self, target: Target, protocol: ProtocolName = "pva", timeout_s: float = 5.0) -> None:
        self.target = target
        self.protocol = protocol
        self.timeout_s = timeout_s
        self._pvs: PvClient = _connect(target, protocol)
        self._calls = self._pvs if protocol == "pva" else None
        self._listed: Mapping[str, PvInfo] | None = None

    @property
    def prefix(self) -> str:
        """Prefix of the twin's PVs."""
        return self.target.prefix

    def full_name(self, name: str) -> str:
        """Complete a PV's name: with prefix, without protocol and without `.VAL`."""
        return self.prefix + canonical_name(name, self.prefix)

    @property
    def pvs(self) -> Mapping[str, PvInfo]:
        """All PVs of the twin by full name, as the server lists them. Raises ClientError if it does not."""
        return self._list(self.timeout_s)

    def _list(self, timeout_s: float) -> Mapping[str, PvInfo]:
        if self._listed is None:
            self._listed = {info.name: info for info in self.find_pvs(timeout_s=timeout_s)}
        return self._listed

    def find_pvs(self, match: str = "*", source: str = "*", timeout_s: float | None = None) -> list[PvInfo]:
        """List PVs whose name, with or without prefix, and whose source fit patterns (`*`, `?`, `[...]`)."""
        from gnomon.clients.pv_values import columns_of

        columns = columns_of(self._call_raw("dt:pvs", {"match": match, "source": source}, timeout_s or self.timeout_s))
        rows = zip(*(columns[each.name] for each in fields(PvInfo)), strict=True)
        return [PvInfo(*row) for row in rows]

    def expand(self, patterns: Sequence[str]) -> list[str]:
        """Find the full names that names and patterns mean, without repetition.

        A name is not looked up. Raises NotFoundError for a pattern that fits no PV.
        """
        found: list[str] = []
        for pattern in patterns:
            whole = self.full_name(pattern)
            if not any(character in pattern for character in _WILDCARDS):
                found.append(whole)
                continue
            fits = [name for name in self.pvs if fnmatchcase(name, whole)]
            if not fits:
                raise NotFoundError(
                    f"no PV under {self.prefix!r} fits {pattern!r}{self._near(pattern, self.pvs)}", [pattern]
                )
            found += fits
        return list(dict.fromkeys(found))

    def get(self, *names: str) -> list[Reading]:
        """Read PVs given by name or pattern. Raises NotFoundError with near names, and ClientError."""
        wanted = self.expand(names)
        end = time.monotonic() + self.timeout_s
        readings = self._pvs.get(wanted, min(FIRST_WAIT_S, self.timeout_s))
        late = [name for name, reading in zip(wanted, readings, strict=True) if reading is None]
        if late:
            self._refuse_unknown(late, max(0.1, (end - time.monotonic()) / 2))
            again = dict(zip(late, self._pvs.get(late, max(0.1, end - time.monotonic())), strict=True))
            readings = [again.get(name) if got is None else got for name, got in zip(wanted, readings, strict=True)]
        found = [reading for reading in readings if reading is not None]
        if missing := [name for name, reading in zip(wanted, readings, strict=True) if reading is None]:
            raise NoAnswerError(self._no_answer(missing))
        return found

    def find(
        self, names: Sequence[str], required: Sequence[str] = (), timeout_s: float | None = None
    ) -> dict[str, Reading]:
        """Read those PVs, by full name, that a server has; it need not list its PVs, as gnomon's do.

        Once all `required` ones have answered, others are not waited for much longer. Raises NoAnswerError for required
        ones.
        """
        limit = self.timeout_s if timeout_s is None else timeout_s
        end, found = time.monotonic() + limit, dict[str, Reading]()
        wait = min(FIRST_WAIT_S, limit) if timeout_s is None else limit
        while True:
            left = [name for name in names if name not in found]
            readings = self._pvs.get(left, wait)
            found |= {name: reading for name, reading in zip(left, readings, strict=True) if reading is not None}
            if not (missing := [name for name in required if name not in found]):
                return found
            if (wait := end - time.monotonic()) <= 0.0:
                raise NoAnswerError(self._no_answer(missing))

    def put(self, name: str, value: float | str | Sequence[Any], *, wait: bool = True) -> None:
        """Write one PV, a state by name or number. With `wait`, return when the result is out.

        Raises RefusedError with the server's reason, NotFoundError, and NoAnswerError.
        """
        (present,) = self.get(name)
        self._pvs.put(present.name, to_send(present, value), self.timeout_s, wait=wait)

    def read_trouble(self) -> str:
        """Read why the twin has no beam (`dt:reason`); empty when all is well, and for a server without this PV."""
        (reading,) = self._pvs.get([self.full_name(REASON)], min(FIRST_WAIT_S, self.timeout_s))
        return str(reading.value) if reading is not None else ""

    def set(self, settings: Mapping[str, float | str], note: str = "") -> dict[str, Any]:
        """Write several setpoints as one command, all or none (`dt:set`); returns its sequence and lattice_id.

        Raises RefusedError with the server's reasons, and NoAnswerError.
        """
        names = [self.full_name(name) for name in settings]
        values = list(settings.values())
        numbers = all(isinstance(value, int | float) for value in values)
        arguments: dict[str, Any] = {
            "names": names,
            "values": [float(value) for value in values] if numbers else [str(value) for value in values],
        }
        answer = self.call("dt:set", arguments | ({"note": note} if note else {}))
        return dict(answer)

    def monitor(self, name: str, callback: Callable[[Reading | None], None]) -> Callable[[], None]:
        """Have `callback` called, in a thread, with each new reading, and with None when the PV disconnects.

        Returns a function that ends it.
        """
        return self._pvs.monitor(self.full_name(name), callback)

    def sampled(self) -> SampledValues:
        """Make an empty set of PVs whose newest readings are asked for, for displays."""
        return SampledValues(self._pvs.sampler())

    def call(self, procedure: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """Call a remote procedure (`dt:fault`, ...) over PV Access; returns its fields, or its rows.

        Raises RefusedError with the server's reason, and NoAnswerError.
        """
        import json

        from gnomon.recorder.remote import answer_text

        text = answer_text(self._call_raw(procedure, arguments or {}, self.timeout_s))
        try:
            return json.loads(text)
        except ValueError:
            return text

    def _call_raw(self, procedure: str, arguments: Mapping[str, Any], timeout_s: float) -> Any:
        from gnomon.clients.pva import PvaClient

        if self._calls is None:  # procedures are there over PV Access alone
            self._calls = PvaClient(self.target.environment)
        assert isinstance(self._calls, PvaClient)
        return self._calls.call(self.full_name(procedure), arguments, timeout_s)

    def _refuse_unknown(self, names: Sequence[str], timeout_s: float) -> None:
        """Raise NotFoundError for names that the server does not list; nothing if it lists none at all."""
        try:
            known = self._list(timeout_s)
        except ClientError:
            return
        unknown = [name for name in names if name.partition(".")[0] not in known]
        if unknown:
            raise NotFoundError("\n".join(self._unknown(name, list(known)) for name in unknown), unknown)

    def _unknown(self, name: str, known: Sequence[str]) -> str:
        bare = canonical_name(name, self.prefix)
        return f"there is no PV {bare!r} under {self.prefix!r}{self._near(bare, known)}"

    def _near(self, bare: str, known: Iterable[str]) -> str:
        from gnomon.lattice.near_names import near_names_hint

        return near_names_hint(bare, [each.removeprefix(self.prefix) for each in known])

    def _no_answer(self, names: Sequence[str]) -> str:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        return (
            f"{names[0]}{more}: no server answered within {self.timeout_s:g} s over "
            f"{'PV Access' if self.protocol == 'pva' else 'Channel Access'} ({self.target.describe()})"
        )

    def close(self) -> None:
        """Disconnect."""
        self._pvs.close()
        if self._calls is not None and self._calls is not self._pvs:
            self._calls.close()

    def __enter__(self) -> "EpicsClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def to_send(present: Reading, value: Any) -> Any:
    """Turn a value into what goes to a PV that reads so at present: a state's name becomes its number, a text a number.

    A text for a waveform is its values, separated by commas or spaces. Raises ClientError for a text that is neither a
    state nor a number, and for a table.
    """
    from gnomon.lattice.text import NotANumberError, parse_number

    if not isinstance(value, str):
        return value
    if present.states and value in present.states:
        return present.states.index(value)
    if isinstance(present.value, str) and not present.states:
        return value
    if isinstance(present.value, Mapping):
        raise ClientError(f"{present.name} is a table, which cannot be written as a text")
    if isinstance(present.value, list | tuple) or hasattr(present.value, "tolist"):
        return _waveform(present, value.replace(",", " ").split())
    try:
        number = parse_number(value)
    except NotANumberError as error:
        if present.states:
            states = ", ".join(f"{number} {state!r}" for number, state in enumerate(present.states))
            raise ClientError(f"{present.name}: {value!r} is not one of its states: {states}") from error
        raise ClientError(f"{present.name}: {error}") from error
    return int(number) if present.states and number.is_integer() else number


def _waveform(present: Reading, texts: Sequence[str]) -> list[Any]:
    """Read the values of a waveform."""
    from gnomon.lattice.text import NotANumberError, parse_number

    if any(isinstance(each, str) for each in present.value):
        return list(texts)
    try:
        return [parse_number(text) for text in texts]
    except NotANumberError as error:
        raise ClientError(f"{present.name}: {error}") from error


def _connect(target: Target, protocol: ProtocolName) -> PvClient:
    if protocol == "pva":
        from gnomon.clients.pva import PvaClient

        return PvaClient(target.environment)
    from gnomon.clients.ca import CaClient

    return CaClient(target.environment)
