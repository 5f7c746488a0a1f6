"""The environment: an agent moves currents, sees readings, and is rewarded when the error becomes small."""

from collections.abc import Callable
from os import PathLike
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gnomon.clients.errors import ClientError
from gnomon.clients.gym.learning_tasks import TASKS
from gnomon.clients.gym.model_plant import ModelPlant, supply_names
from gnomon.clients.gym.plants import Floats, Imperfections, Plant, PlantState
from gnomon.lattice.near_names import near_names_hint

try:
    import gymnasium
except ImportError as missing:
    raise ImportError("environments need gymnasium: pip install 'gnomon[gym]'", name="gymnasium") from missing

__all__ = ["RingEnvironment", "register_environments"]

#: Numbers that an agent sees are cut at this, and are this without a beam.
MAX_SEEN = 100.0
#: Reward of a step that loses the beam, in goals.
LOST = -100.0
#: Tries to begin with a beam; each halves the distance from the nominal currents.
TRIES = 12

Seen = NDArray[np.float32]


class RingEnvironment(gymnasium.Env[Seen, NDArray[np.float32]]):
    """One task on one ring: "orbit", "tune" or "optics".

    An action (n,), from -1 to 1, is a step of all currents; an observation has what the task shows and the currents, as
    fractions of their range from the nominal ones. The reward is the error with a minus sign, in goals: the rms of the
    readings [mm], the distance of the tunes, the rms beta beating. An episode ends when the error is below the goal, or
    the beam is lost. `reset(options={"target": (0.85, 0.73), "imperfections": Imperfections(...)})` replaces what is
    drawn. `plant` is another ring to act on, such as `EpicsPlant`.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - as gymnasium has it

    def __init__(
        self,
        task: str = "orbit",
        machine: str | PathLike[str] = "bessy2",
        *,
        momentum: Literal["orbit", "frequency"] = "orbit",
        chromatic: bool | None = None,
        imperfections: Imperfections | None = None,
        plant: Callable[[tuple[str, ...]], Plant] | None = None,
    ) -> None:
        if task not in TASKS:
            raise ClientError(f"there is no task {task!r}; there are {', '.join(TASKS)}{near_names_hint(task, TASKS)}")
        self.task = TASKS[task]
        supplies = supply_names(machine, self.task.properties)
        wanted = self.task.chromatic if chromatic is None else chromatic
        self.plant: Plant = (
            ModelPlant(machine, supplies, momentum=momentum, chromatic=wanted) if plant is None else plant(supplies)
        )
        self.imperfections = imperfections or Imperfections()
        low, high = self.plant.limits.T
        self._range: Floats = high - low
        self._currents = self.plant.nominal.copy()
        self._target = self.plant.design.tune
        self.state = self.plant.design
        seen = self._see(self.plant.design)
        self.observation_space = gymnasium.spaces.Box(-MAX_SEEN, MAX_SEEN, seen.shape, np.float32)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (len(supplies),), np.float32)

    @property
    def currents(self) -> Floats:
        """Present currents (n,) [A], in the order of `plant.supplies`."""
        return self._currents.copy()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Seen, dict[str, Any]]:
        """Begin an episode: other errors, other currents, other target tunes."""
        super().reset(seed=seed)
        options = options or {}
        random = self.np_random
        imperfections = options.get("imperfections", self.imperfections)
        self.plant.begin(imperfections, int(random.integers(imperfections.machines)), random)
        drawn = self.plant.design.tune + random.uniform(-self.task.target, self.task.target, 2)
        self._target = np.asarray(options.get("target", drawn), dtype=float) % 1.0
        away = self.task.start * self._range * random.standard_normal(len(self._range))
        for attempt in range(TRIES):
            self._move_to(self.plant.nominal + away * 0.5**attempt)
            if self.state.found:
                break
        else:
            raise ClientError(f"no episode can begin: {self.state.reason}")
        return self._see(self.state), self._info()

    def step(self, action: NDArray[np.float32]) -> tuple[Seen, float, bool, bool, dict[str, Any]]:
        """Change all currents by `action` (n,), in steps of the task, and see the beam."""
        change = self.task.step * self._range * np.clip(np.asarray(action, dtype=float), -1.0, 1.0)
        self._move_to(self._currents + change)
        if not self.state.found:
            return self._see(self.state), LOST, True, False, self._info()
        error = self._error()
        return self._see(self.state), -error / self.task.goal, error < self.task.goal, False, self._info()

    def close(self) -> None:
        """Leave the ring."""
        self.plant.close()

    def _move_to(self, currents: Floats) -> None:
        low, high = self.plant.limits.T
        self._currents = np.clip(currents, low, high)
        self.state = self.plant.apply(self._currents)

    def _error(self) -> float:
        return self.task.error(self.state, self.plant.design, self._target)

    def _see(self, state: PlantState) -> Seen:
        shown = self.task.see(state, self.plant.design, self._target)
        moved = (self._currents - self.plant.nominal) / self._range
        seen = np.concatenate((np.clip(np.nan_to_num(shown, nan=MAX_SEEN), -MAX_SEEN, MAX_SEEN), moved))
        return seen.astype(np.float32)

    def _info(self) -> dict[str, Any]:
        if not self.state.found:
            return {"reason": self.state.reason}
        return {
            "error": self._error(),
            "unit": self.task.unit,
            "tune": self.state.tune.copy(),
            "target": self._target.copy(),
        }


def register_environments() -> None:
    """Make the tasks known to gymnasium: `gnomon/OrbitCorrection-v0`, `gnomon/Tunes-v0`, `gnomon/Optics-v0`."""
    for name, task in (("OrbitCorrection", "orbit"), ("Tunes", "tune"), ("Optics", "optics")):
        id = f"gnomon/{name}-v0"
        if id not in gymnasium.registry:
            gymnasium.register(
                id,
                entry_point="gnomon.clients.gym:RingEnvironment",
                kwargs={"task": task},
                max_episode_steps=TASKS[task].steps,
            )
