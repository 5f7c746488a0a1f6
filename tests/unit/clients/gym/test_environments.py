"""Environments pass gymnasium's own check, do what they say, and are won by what physics says."""

import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from gnomon.clients.errors import ClientError
from gnomon.clients.gym import TASKS, Imperfections, RingEnvironment
from gnomon.clients.gym.model_plant import FIRST_SEED, SIZES
from gnomon.ioc.app.imperfect.imperfect_machine import error_sizes
from gnomon.ioc.base.imperfections_config import ImperfectionsConfig

IMPERFECT = Imperfections(scale=0.3, machines=2, noise_mm=1e-3, tune_noise=1e-5)


@pytest.mark.parametrize("name", ["OrbitCorrection", "Tunes", "Optics"])
@pytest.mark.parametrize("imperfections", [Imperfections(), IMPERFECT])
def test_gymnasium_finds_nothing_wrong(name: str, imperfections: Imperfections) -> None:
    made = gymnasium.make(f"gnomon/{name}-v0", machine="mls", imperfections=imperfections)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(made.unwrapped, skip_render_check=True)
    assert made.spec is not None
    assert made.spec.max_episode_steps == 50


def test_all_112_steerers_of_bessy_ii_move_at_once() -> None:
    environment = RingEnvironment("orbit")
    assert environment.action_space.shape == (112,)
    assert environment.observation_space.shape == (2 * 123 + 112,)
    environment.reset(seed=1)
    assert 0.3 < environment.state.rms_mm < 3.0
    before = environment.currents
    environment.step(np.full(112, 0.5, dtype=np.float32))
    np.testing.assert_allclose(environment.currents - before, 0.5 * 0.005 * 20.0, rtol=1e-6)


def solve(environment: RingEnvironment, seen: Any, values: Any, steps: int) -> float:
    """Correct by the response of what is seen, found by moving each current a little; the last reward."""
    size = len(environment.plant.supplies)
    start = environment.currents
    response = np.empty((len(values(seen)), size))
    for n in range(size):
        action = np.zeros(size, dtype=np.float32)
        action[n] = 0.1
        moved, *_ = environment.step(action)
        response[:, n] = (values(moved) - values(seen)) / 0.1
        environment._move_to(start)
    reward = -np.inf
    for _ in range(steps):
        wanted = -np.linalg.pinv(response, rcond=1e-2) @ values(seen)
        seen, reward, won, *_ = environment.step((wanted / max(1.0, np.abs(wanted).max())).astype(np.float32))
        if won:
            break
    return float(reward)


@pytest.mark.parametrize("imperfections", [Imperfections(), Imperfections(scale=0.1)])
def test_an_orbit_is_corrected_by_its_response(imperfections: Imperfections) -> None:
    environment = RingEnvironment("orbit", "mls", imperfections=imperfections)
    seen, info = environment.reset(seed=3)
    monitors = len(environment.plant.monitors)
    assert info["error"] > 2 * TASKS["orbit"].goal
    assert solve(environment, seen, lambda each: each[: 2 * monitors], 12) > -1.0


def test_tunes_reach_their_target() -> None:
    environment = RingEnvironment("tune")
    target = (environment.plant.design.tune + np.array([0.008, -0.006])) % 1.0
    seen, info = environment.reset(seed=3, options={"target": target})
    assert info["error"] == pytest.approx(0.008, abs=1e-9)
    assert solve(environment, seen, lambda each: each[:2], 6) > -1.0


def test_the_same_seed_gives_the_same_episode_and_another_one_another() -> None:
    environment = RingEnvironment("orbit", "mls", imperfections=IMPERFECT)
    seen = [environment.reset(seed=seed)[0] for seed in (5, 6, 5)]
    np.testing.assert_array_equal(seen[0], seen[2])
    assert (seen[0] != seen[1]).any()


def test_faults_are_there_on_request() -> None:
    environment = RingEnvironment("orbit", "mls")
    dead, stuck = environment.plant.monitors[3], environment.plant.supplies[2]
    environment.reset(seed=1, options={"imperfections": Imperfections(dead=(dead,), stuck=(stuck,))})
    assert environment.state.x[3] == environment.state.y[3] == 0.0
    before = environment.state.x
    action = np.zeros(len(environment.plant.supplies), dtype=np.float32)
    action[2] = 1.0
    environment.step(action)
    np.testing.assert_allclose(environment.state.x, before, atol=1e-9)


def test_a_lost_beam_ends_the_episode() -> None:
    environment = RingEnvironment("tune", "mls")
    environment.reset(seed=1)
    environment._move_to(0.0 * environment.currents)
    seen, reward, terminated, truncated, info = environment.step(0.0 * environment.action_space.sample())
    assert (reward, terminated, truncated) == (-100.0, True, False)
    assert "stable" in info["reason"]
    assert environment.observation_space.contains(seen)


def test_environments_run_side_by_side() -> None:
    many = gymnasium.make_vec("gnomon/Tunes-v0", num_envs=2, vectorization_mode="sync", machine="mls")
    seen, _ = many.reset(seed=1)
    many.step(many.action_space.sample())
    assert seen.shape[0] == 2
    many.close()


@pytest.mark.slow(5)
def test_environments_in_processes_of_their_own_do_the_same() -> None:
    told: list[list[np.ndarray]] = []
    for mode, more in (("sync", {}), ("async", {"context": "spawn"})):  # as on every system, whatever threads run here
        many = gymnasium.make_vec(
            "gnomon/Tunes-v0", num_envs=2, vectorization_mode=mode, vector_kwargs=more, machine="mls"
        )
        first, _ = many.reset(seed=1)
        many.action_space.seed(1)
        action = many.action_space.sample()
        seen, reward, *_ = many.step(action)
        told.append([np.array(first), np.array(seen), np.array(reward)])
        many.close()
    for one, other in zip(*told, strict=True):
        np.testing.assert_array_equal(one, other)
    assert (told[0][0][0] != told[0][0][1]).any()


def test_an_unknown_task_names_those_that_there_are() -> None:
    with pytest.raises(ClientError, match="no task 'orbits'; there are orbit, tune, optics; near names: orbit"):
        RingEnvironment("orbits")


def test_errors_are_of_the_sizes_of_role_machine_but_of_other_machines() -> None:
    config = ImperfectionsConfig()
    assert error_sizes(config) == SIZES
    assert config.seed < FIRST_SEED
