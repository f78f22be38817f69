"""Whom we are compared with where a memory is needed: RecurrentPPO, and PPO that sees the last observations side by side.

RecurrentPPO has the settings of rl-baselines3-zoo for a cart-pole without velocities, and stacked PPO those for CartPole. Where
rewards are further away than their rollouts and discounts, these are longer.
"""

from functools import partial
from typing import Any

from baselines import Tuned, falling, train_sb3
from protocol import Entry, coarse_grid

POLE = {
    "n_steps": 32,
    "batch_size": 256,
    "gae_lambda": 0.8,
    "gamma": 0.98,
    "n_epochs": 20,
    "learning_rate": falling(1e-3),
    "clip_range": falling(0.2),
}
LSTM = {"ortho_init": False, "lstm_hidden_size": 64, "enable_critic_lstm": True, "net_arch": {"pi": [64], "vf": [64]}}


def far(steps: int, discount: float) -> dict[str, Any]:
    """Return settings with rollouts of so many steps, and returns that reach as far."""
    return POLE | {"n_steps": steps, "gamma": discount, "gae_lambda": 0.98, "n_epochs": 10}


# Environment: steps, settings, observations that are stacked: as many as it takes, at most 64.
PLAYED: dict[str, tuple[int, dict[str, Any], int]] = {
    "DynLive/MaskedCartPole-v0": (100_000, POLE, 4),
    "DynLive/DelayedCue5-v0": (20_000, POLE, 6),
    "DynLive/DelayedCue50-v0": (50_000, far(128, 0.99), 51),
    "DynLive/DelayedCue500-v0": (100_000, far(1_024, 0.999), 64),
    "DynLive/DelayedReward5-v0": (20_000, POLE, 6),
    "DynLive/DelayedReward50-v0": (50_000, far(256, 0.99), 51),
    "DynLive/DelayedReward500-v0": (100_000, far(1_024, 0.999), 64),
    "DynLive/MemoryXor-v0": (50_000, POLE, 11),
    "DynLive/TMaze-v0": (50_000, far(128, 0.99), 11),
}


def _entry(agent: str, tuned: Tuned) -> Entry:
    return Entry(partial(train_sb3, agent=agent, tuned=tuned), tuned.steps, coarse_grid)


def _recurrent(steps: int, settings: dict[str, Any]) -> Tuned:
    both = {"norm_obs": True, "norm_reward": True}
    return Tuned(steps, {**settings, "policy_kwargs": LSTM}, envs=8, normalise=both, policy="MlpLstmPolicy")


ENTRIES = {
    (env_id, "recurrent-ppo"): _entry("recurrent-ppo", _recurrent(steps, settings))
    for env_id, (steps, settings, _) in PLAYED.items()
} | {
    (env_id, "stacked-ppo"): _entry("stacked-ppo", Tuned(steps, settings, envs=8, frames=frames))
    for env_id, (steps, settings, frames) in PLAYED.items()
}
