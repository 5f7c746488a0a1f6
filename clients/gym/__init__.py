"""Environments of gymnasium on the propagator itself: orbit correction, tunes and optics as tasks to learn.

`gymnasium.make("gnomon/OrbitCorrection-v0")`, after `import gnomon.clients.gym`, or `RingEnvironment` with all its
arguments. This package needs the extra `gnomon[gym]`.
"""

from gnomon.clients.gym.epics_plant import EpicsPlant
from gnomon.clients.gym.learning_tasks import TASKS, Task
from gnomon.clients.gym.model_plant import ModelPlant
from gnomon.clients.gym.plants import Imperfections, Plant, PlantState
from gnomon.clients.gym.ring_environment import RingEnvironment, register_environments

__all__ = [
    "TASKS",
    "EpicsPlant",
    "Imperfections",
    "ModelPlant",
    "Plant",
    "PlantState",
    "RingEnvironment",
    "Task",
    "register_environments",
]

register_environments()
