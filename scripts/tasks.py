"""The tasks of all studies by environment: what solves them, and how many steps our own agent gets.

Each suite is a dictionary of its own; `TASKS` has all of them. Those that need a memory are registered here at the delays
that are compared.
"""

from dataclasses import dataclass
from typing import Any

import gymnasium as gym

import dynlive_rl.envs  # noqa: F401  registers the environments


@dataclass(frozen=True)
class Task:
    """What solves an environment, and how many steps our own agent gets for it."""

    threshold: float
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
TASKS = CLASSIC | MEMORY
