"""Lattices that clients made: immutable, named by their content, the least recently used dropped first."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

from gnomon.lattice import Lattice, LatticeError, MachineDocument, Ring
from gnomon.lattice.text import shorten
from gnomon.propagator.facade import RingModel
from gnomon.services.problems import ProblemError, of_setting


@dataclass(frozen=True, slots=True)
class Update:
    """A new value of a property of a device of a lattice, in the property's unit."""

    lattice: str
    device: str
    property: str
    value: float


class LatticeStore:
    """At most `lattices` versions of at most `rings` rings; using one makes it the most recently used.

    With a new ring too many, the ring that was not used for the longest time goes with all its lattices. Methods may be
    called from several threads.
    """

    def __init__(self, lattices: int, rings: int) -> None:
        self.max_lattices, self.max_rings = lattices, rings
        self._models: OrderedDict[str, RingModel] = OrderedDict()
        self._dropped: OrderedDict[str, None] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._models)

    def create(self, document: MachineDocument) -> tuple[RingModel, bool]:
        """Make the nominal lattice of a machine; True if it was not kept already. Raises LatticeError."""
        ring = Ring(document)
        nominal = ring.nominal
        with self._lock:
            rings = (model.lattice.ring for model in self._models.values())
            known = next((each.nominal for each in rings if each.digest == ring.digest), nominal)
            return self._keep(RingModel(known))

    def keep(self, lattice: Lattice) -> tuple[RingModel, bool]:
        """Keep a lattice that was made elsewhere; True if it was not kept already."""
        with self._lock:
            return self._keep(RingModel(lattice))

    def get(self, name: str) -> RingModel:
        """Find a lattice by its id. Raises ProblemError: 404, or 410 if it was dropped."""
        with self._lock:
            return self._get(name)

    def all(self) -> list[RingModel]:
        """List all lattices, the most recently used first."""
        with self._lock:
            return list(reversed(self._models.values()))

    def update(self, updates: Sequence[Update]) -> list[tuple[str, RingModel]]:
        """Make new lattices, one for each that is named, with all of its updates together, or none at all.

        Returns the id of each base and the new lattice. Raises ProblemError.
        """
        grouped: dict[str, dict[tuple[str, str], float]] = {}
        for number, update in enumerate(updates):
            values = grouped.setdefault(update.lattice, {})
            if (update.device, update.property) in values:
                raise ProblemError(
                    422,
                    f"{update.device} {update.property} is given twice for one lattice; nothing was changed",
                    field=f"updates[{number}]",
                    action="give each property once",
                )
            values[update.device, update.property] = update.value
        if len(grouped) > self.max_lattices:
            raise ProblemError(
                422,
                f"{len(grouped)} lattices in one request are more than are kept",
                field="updates",
                value=len(grouped),
                limit=f"{self.max_lattices} lattices",
                action="send several requests",
            )
        with self._lock:
            bases = {name: self._get(name) for name in grouped}
        made = [(name, _updated(bases[name], updates, values)) for name, values in grouped.items()]
        with self._lock:
            return [(name, self._keep(model)[0]) for name, model in made]

    def _get(self, name: str) -> RingModel:
        model = self._models.get(name)
        if model is not None:
            self._models.move_to_end(name)
            return model
        if name in self._dropped:
            raise ProblemError(
                410,
                f"lattice {name} was dropped, since only the most recently used are kept",
                field="lattice",
                value=name,
                limit=f"{self.max_lattices} lattices of {self.max_rings} machines",
                action="create it again from its document and values; it gets the same id",
            )
        raise ProblemError(
            404,
            f"there is no lattice {shorten(name)}",
            field="lattice",
            action="create it with POST /v1/lattices; GET /v1/lattices lists all",
        )

    def _keep(self, model: RingModel) -> tuple[RingModel, bool]:
        new = model.id not in self._models
        kept = self._models.setdefault(model.id, model)
        self._models.move_to_end(model.id)
        self._dropped.pop(model.id, None)
        while len(self._models) > self.max_lattices:
            self._drop(next(iter(self._models)))
        last_use = dict.fromkeys(m.lattice.ring.digest for m in reversed(self._models.values()))
        for digest in list(last_use)[self.max_rings :]:
            for name in [n for n, m in self._models.items() if m.lattice.ring.digest == digest]:
                self._drop(name)
        return kept, new

    def _drop(self, name: str) -> None:
        del self._models[name]
        self._dropped[name] = None
        while len(self._dropped) > 10 * self.max_lattices:
            self._dropped.popitem(last=False)


def _updated(base: RingModel, updates: Sequence[Update], values: dict[tuple[str, str], float]) -> RingModel:
    """Make the lattice with new values. Raises ProblemError that names the first one that is refused."""
    lattice: Lattice = base.lattice
    try:
        return base.set(values)
    except LatticeError as error:
        for number, update in enumerate(updates):
            if update.lattice == base.id:
                key = (update.device, update.property)
                if problem := of_setting(lattice, key, update.value, f"updates[{number}]"):
                    raise problem from error
        raise ProblemError(422, f"{error}", field="updates", action="these values cannot be set together") from error
