"""The tasks of all studies by environment: what solves them, and how many steps our own agent gets.

Each suite is a dictionary of its own; `TASKS` has all of them. Those that need a memory are registered here at the delays
that are compared, and those of MiniGrid and MinAtar as they are played.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import gymnasium as gym

import dynlive_rl.envs  # noqa: F401  registers the environments


@dataclass(frozen=True)
class Task:
    """What solves an environment, None where nothing does, and how many steps our own agent gets for it."""

    threshold: float | None
    budget: int


CLASSIC = {
    "CartPole-v1": Task(475.0, 20_000),
    "Acrobot-v1": Task(-100.0, 20_000),
    "MountainCar-v0": Task(-110.0, 40_000),
    "LunarLander-v3": Task(200.0, 100_000),
    "Pendulum-v1": Task(-200.0, 20_000),
    "MountainCarContinuous-v0": Task(90.0, 20_000),
}


def at_delay(name: str, suffix: str, **settings: Any) -> str:
    """Register one of our environments with other settings, and return its id."""
    spec = gym.spec(f"DynLive/{name}-v0")
    made = f"DynLive/{name}{suffix}-v0"
    gym.register(made, spec.entry_point, max_episode_steps=spec.max_episode_steps, kwargs=settings)
    return made


# A reward that comes late is learned from where the mean lies halfway between the best constant policy, which gets half of
# 2 · delay + 50, and the best one.
MEMORY = {
    "DynLive/MaskedCartPole-v0": Task(475.0, 30_000),
    at_delay("DelayedCue", "5", delay=5): Task(0.95, 10_000),
    at_delay("DelayedCue", "50", delay=50): Task(0.95, 20_000),
    at_delay("DelayedCue", "500", delay=500): Task(0.95, 40_000),
    at_delay("DelayedReward", "5", delay=5): Task(0.75 * 60, 10_000),
    at_delay("DelayedReward", "50", delay=50): Task(0.75 * 150, 20_000),
    at_delay("DelayedReward", "500", delay=500): Task(0.75 * 1_050, 40_000),
    "DynLive/MemoryXor-v0": Task(0.95, 10_000),
    "DynLive/TMaze-v0": Task(3.8, 20_000),
}


def flat_grid(name: str, **settings: Any) -> gym.Env[Any, Any]:
    """Make one of MiniGrid's environments, whose observation is what the agent sees, 7 × 7 × 3 numbers in a row."""
    from minigrid import register_minigrid_envs
    from minigrid.wrappers import ImgObsWrapper

    if name not in gym.registry:
        register_minigrid_envs()
    return gym.wrappers.FlattenObservation(ImgObsWrapper(gym.make(name, disable_env_checker=True, **settings)))


def game(name: str, **settings: Any) -> gym.Env[Any, Any]:
    """Make one of MinAtar's games."""
    from minatar.gym import register_envs

    if f"MinAtar/{name}" not in gym.registry:
        register_envs()
    return gym.make(f"MinAtar/{name}", disable_env_checker=True, **settings)


def as_played(name: str, make: Callable[..., gym.Env[Any, Any]], package: str, max_steps: int | None = None) -> str:
    """Register an environment of a package that need not be there, and return its id."""
    made = f"Wide/{package}-{name.removeprefix(f'{package}-')}"
    gym.register(made, partial(make, name), max_episode_steps=max_steps)
    return made


# The games have no time limit of their own, and a policy that never loses would never be done.
GAME_STEPS = 10_000
WIDE = {
    "LunarLanderContinuous-v3": Task(200.0, 50_000),
    "BipedalWalker-v3": Task(280.0, 100_000),
    "HalfCheetah-v5": Task(5_000.0, 100_000),
    "Hopper-v5": Task(2_500.0, 100_000),
    "Reacher-v5": Task(-5.0, 50_000),
    "Ant-v5": Task(None, 100_000),
    as_played("MiniGrid-Empty-5x5-v0", flat_grid, "MiniGrid"): Task(0.9, 20_000),
    as_played("MiniGrid-DoorKey-5x5-v0", flat_grid, "MiniGrid"): Task(0.9, 100_000),
    as_played("Breakout-v1", game, "MinAtar", GAME_STEPS): Task(8.0, 200_000),
    as_played("SpaceInvaders-v1", game, "MinAtar", GAME_STEPS): Task(30.0, 200_000),
    as_played("Asterix-v1", game, "MinAtar", GAME_STEPS): Task(8.0, 200_000),
}
TASKS = CLASSIC | MEMORY | WIDE
