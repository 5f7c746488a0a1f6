"""The controls of the reference orbit: save the present one, and choose which one is compared with."""

import logging

from gnomon.db import sources
from gnomon.db.store import StoreError
from gnomon.ioc.commands.controls import Controls
from gnomon.ioc.commands.reference_store import OrbitError, ReferenceStore
from gnomon.ioc.outputs.model_state import ModelState
from gnomon.ioc.outputs.outputs import Outputs
from gnomon.lattice import Client

log = logging.getLogger("gnomon.orbit")


class ReferenceControls:
    """`dt:orbit:ref:save` and `dt:orbit:ref:use`, each put to with a name."""

    def __init__(self, controls: Controls, state: ModelState, outputs: Outputs, store: ReferenceStore) -> None:
        self._state = state
        self._outputs = outputs
        self._store = store
        controls.register(sources.REFERENCE_SAVE, self._save)
        controls.register(sources.REFERENCE_USE, self._use)

    async def begin(self) -> None:
        """Use what was used before the server was stopped; the design orbit when that cannot be."""
        try:
            name = await self._store.chosen()
            reference = await self._store.load(name)
            names = await self._store.names()
        except (OrbitError, StoreError) as error:
            log.warning("the design orbit is the reference: %s", error)
            reference, names = self._store.zero(), [self._store.zero().name]
        self._outputs.show_many({sources.REFERENCE_NAMES: names, sources.REFERENCE_SAVE: ""})
        self._outputs.set_reference_orbit(reference)

    async def _save(self, name: str, client: Client) -> None:
        readings = self._state.readings
        if readings is None:
            raise OrbitError("there is no beam, and so no orbit to save as a reference")
        await self._store.save(name, readings.x, readings.y, readings.lattice.id)
        names = await self._store.names()
        self._outputs.show_many({sources.REFERENCE_NAMES: names, sources.REFERENCE_SAVE: name})
        if name == self._state.reference.name:
            self._outputs.set_reference_orbit(await self._store.load(name))

    async def _use(self, name: str, client: Client) -> None:
        reference = await self._store.load(name)
        await self._store.choose(name)
        self._outputs.set_reference_orbit(reference)
