"""Reference orbits in the document store, so that they outlive the server and no save is lost."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from gnomon.db import StorePlace
from gnomon.db.store import ConflictError, Document, NotFoundError
from gnomon.ioc.outputs.reference_orbit import ZERO, Floats, ReferenceOrbit
from gnomon.lattice import GnomonError

KIND, IN_USE = "reference-orbit", "reference-orbit-in-use"
SCHEMA = "gnomon.reference_orbit/1"
MAX_NAME_BYTES = 39  # bytes of a Channel Access text


class OrbitError(GnomonError):
    """A reference orbit that cannot be saved or used: which, and why."""


class ReferenceStore:
    """The saved reference orbits of one machine. Twins of the same machine share them; each chooses its own.

    Every save of a name is a revision of its document, so none is lost. Methods raise StoreError when the store fails.
    `place` is where the store is.
    """

    def __init__(self, place: StorePlace | Path, machine: str, prefix: str, monitors: Sequence[str]) -> None:
        self._store = (StorePlace(place) if isinstance(place, Path) else place).open
        self._machine = machine
        self._chooser = f"{machine}/{prefix}"
        self._monitors = list(monitors)

    async def save(self, name: str, x: Floats, y: Floats, lattice_id: str) -> None:
        """Keep an orbit under a name. Raises OrbitError for a name that cannot be one."""
        if name in (ZERO, "") or not name.isprintable() or "/" in name or len(name.encode()) > MAX_NAME_BYTES:
            raise OrbitError(
                f"{name!r} cannot be the name of a reference orbit: give 1 to {MAX_NAME_BYTES} printable characters "
                f"(bytes in UTF-8) without '/', and not {ZERO!r}, which is the design orbit"
            )
        document = {
            "schema": SCHEMA,
            "saved": f"{datetime.now().astimezone().isoformat(sep=' ', timespec='seconds')}, lattice {lattice_id}",
            "monitors": self._monitors,
            "x_m": x.tolist(),
            "y_m": y.tolist(),
        }
        await self._put(KIND, f"{self._machine}/{name}", document)

    def zero(self) -> ReferenceOrbit:
        """The design orbit, which needs no store."""
        return ReferenceOrbit.zero(len(self._monitors))

    async def load(self, name: str) -> ReferenceOrbit:
        """A reference orbit by its name. Raises OrbitError when there is none, or when the monitors are others."""
        if name == ZERO:
            return self.zero()
        async with self._store() as store:
            try:
                document = (await store.get(KIND, f"{self._machine}/{name}")).document
            except NotFoundError as error:
                there = ", ".join(await self.names())
                raise OrbitError(f"there is no reference orbit {name!r}; there are {there}") from error
        if document["monitors"] != self._monitors:
            raise OrbitError(
                f"reference orbit {name!r} was saved with other monitors ({len(document['monitors'])}, here "
                f"{len(self._monitors)}): save it again"
            )
        return ReferenceOrbit(name, np.array(document["x_m"]), np.array(document["y_m"]), document["saved"])

    async def names(self) -> list[str]:
        """The names that can be chosen."""
        async with self._store() as store:
            saved = [revision.name.partition("/") for revision in await store.list(KIND)]
        return [ZERO, *(name for machine, _, name in saved if machine == self._machine)]

    async def choose(self, name: str) -> None:
        """Remember which one is in use, for the next start."""
        await self._put(IN_USE, self._chooser, {"name": name})

    async def chosen(self) -> str:
        """Return the name of the reference orbit that was chosen last."""
        async with self._store() as store:
            try:
                return str((await store.get(IN_USE, self._chooser)).document["name"])
            except NotFoundError:
                return ZERO

    async def _put(self, kind: str, name: str, document: Document) -> None:
        """Put the next revision, whoever else puts one at the same time."""
        async with self._store() as store:
            for _ in range(10):
                try:
                    latest = (await store.get(kind, name)).revision
                except NotFoundError:
                    latest = 0
                try:
                    await store.put(kind, name, document, expected_revision=latest)
                except ConflictError:
                    continue
                return
        raise OrbitError(f"{kind} {name!r} could not be saved: others write it all the time; try again")
