"""Environments whose world changes, others that need a memory, and a sparse chain; registered on import.

Reach them as `gymnasium.make("dynlive_rl.envs:DynLive/DriftCartPole-v0")`. Everything that changes follows a schedule
over the environment steps of a lifetime, not of an episode: see `schedules`.
"""

from typing import Any

import gymnasium as gym

from .chain import Chain
from .delayed_cue import DelayedCue
from .delayed_reward import DelayedReward
from .drift_cartpole import DriftCartPole, changing_cartpole, world_at
from .masked_cartpole import MaskedCartPole
from .memory_xor import MemoryXor
from .plugins import load_plugins
from .schedules import Cycle, Draw
from .tmaze import TMaze
from .vector_cartpole import ChangingCartPoles
from .wrappers import ChangingActions, ChangingSensors

__all__ = [
    "Chain",
    "ChangingActions",
    "ChangingCartPoles",
    "ChangingSensors",
    "Cycle",
    "DelayedCue",
    "DelayedReward",
    "Draw",
    "DriftCartPole",
    "MaskedCartPole",
    "MemoryXor",
    "TMaze",
    "changing_cartpole",
    "load_plugins",
    "world_at",
]

_CARTPOLES: dict[str, dict[str, Any]] = {
    # Everything about the physics wanders slowly.
    "DriftCartPole": {
        "half_length": Draw(0.25, 1.0, every=5_000, smooth=True, before=0.5),
        "gravity": Draw(6.0, 14.0, every=5_000, smooth=True, before=9.8),
        "force": Draw(7.0, 14.0, every=5_000, smooth=True, before=10.0),
        "friction": Draw(0.0, 1.0, every=5_000, smooth=True, before=0.0),
    },
    # One thing at a time changes at once.
    "JumpCartPole": {"half_length": Draw(0.125, 1.0, every=5_000, before=0.5)},
    "SwapCartPole": {"swap": Cycle((0.0, 1.0), every=10_000)},
    "BlindCartPole": {"sensor_scale": Cycle((1.0, 0.0), every=5_000)},
    "RescaledCartPole": {"sensor": 2, "sensor_scale": Draw(0.2, 5.0, every=5_000, before=1.0)},
    # All of these in turn, a change every 5,000 steps: swapped actions, another pole, a dead sensor, its return.
    "ChangingCartPole": {
        "swap": Cycle((0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0), every=5_000),
        "half_length": Draw(0.125, 1.0, every=20_000, first=10_000, before=0.5),
        "sensor_scale": Cycle((1.0, 1.0, 1.0, 0.0), every=5_000),
    },
}

for _name, _changes in _CARTPOLES.items():
    gym.register(
        f"DynLive/{_name}-v0",
        changing_cartpole,
        vector_entry_point=ChangingCartPoles,
        max_episode_steps=500,
        reward_threshold=475.0,
        kwargs=_changes,
    )
gym.register("DynLive/Chain-v0", "dynlive_rl.envs.chain:Chain", max_episode_steps=100, reward_threshold=0.95)

_MEMORY = {  # entry point, time limit (the others end by themselves), threshold
    "MaskedCartPole": ("masked_cartpole:MaskedCartPole", 500, 475.0),
    "DelayedCue": ("delayed_cue:DelayedCue", None, 0.95),
    "DelayedReward": ("delayed_reward:DelayedReward", None, None),
    "MemoryXor": ("memory_xor:MemoryXor", None, 0.95),
    "TMaze": ("tmaze:TMaze", 1000, 3.8),
}
for _name, (_entry_point, _limit, _threshold) in _MEMORY.items():
    gym.register(
        f"DynLive/{_name}-v0",
        f"dynlive_rl.envs.{_entry_point}",
        max_episode_steps=_limit,
        reward_threshold=_threshold,
    )
