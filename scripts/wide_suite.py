"""Whom we are compared with where nobody tuned us: SAC, TQC, PPO and DQN on robots, grids and games.

The settings are those of rl-baselines3-zoo (2.9.2, `hyperparams/*.yml`; a test compares them), of an older version of a task
where it has no newer one. It has none for

- SAC on Reacher: those that it gives for every other task of MuJoCo;
- DQN on MiniGrid: its settings for Acrobot and LunarLander;
- DQN on MinAtar: those of MinAtar's paper (Young and Tian, 2019, its `examples/dqn.py`), with its network;
- PPO on MinAtar: its settings for Atari, with MinAtar's network, and neither frames that are stacked nor Atari's wrapper.

Rates and exploration are scheduled over the published steps; what is played are ours, which are fewer.
"""

import pkgutil
from dataclasses import replace
from functools import partial
from typing import Any

from baselines import BOTH, DQN_ACROBOT, NET, Tuned, falling, train_sb3
from protocol import Entry, even_grid
from tasks import WIDE

LANDER = {
    "batch_size": 256,
    "learning_rate": falling(7.3e-4),
    "buffer_size": 1_000_000,
    "ent_coef": "auto",
    "gamma": 0.99,
    "tau": 0.01,
    "train_freq": 1,
    "gradient_steps": 1,
    "learning_starts": 10_000,
    "policy_kwargs": {"net_arch": [400, 300]},
}
WALKER = {
    "learning_rate": 7.3e-4,
    "buffer_size": 300_000,
    "batch_size": 256,
    "ent_coef": "auto",
    "gamma": 0.98,
    "tau": 0.02,
    "train_freq": 64,
    "gradient_steps": 64,
    "learning_starts": 10_000,
    "use_sde": True,
    "policy_kwargs": {"log_std_init": -3, "net_arch": [400, 300], "use_expln": True},
}
MUJOCO = {"learning_starts": 10_000}
# Text such as "module:name" is what a module calls so; it is loaded where it is needed.
TUNED_NET = {
    "log_std_init": -2,
    "ortho_init": False,
    "activation_fn": "torch.nn:ReLU",
    "net_arch": {"pi": [256, 256], "vf": [256, 256]},
}
GRID = {
    "n_steps": 128,
    "batch_size": 64,
    "gae_lambda": 0.95,
    "gamma": 0.99,
    "n_epochs": 10,
    "ent_coef": 0.0,
    "learning_rate": 2.5e-4,
    "clip_range": 0.2,
}
GAME_NET = {"features_extractor_class": "minatar_network:MinAtarFeatures", "net_arch": []}
GAME_PPO = {
    "n_steps": 128,
    "n_epochs": 4,
    "batch_size": 256,
    "learning_rate": falling(2.5e-4),
    "clip_range": falling(0.1),
    "vf_coef": 0.5,
    "ent_coef": 0.01,
    "policy_kwargs": GAME_NET,
}
GAME_DQN = {
    "learning_rate": 2.5e-4,
    "batch_size": 32,
    "buffer_size": 100_000,
    "learning_starts": 5_000,
    "gamma": 0.99,
    "target_update_interval": 1_000,
    "train_freq": 1,
    "gradient_steps": 1,
    "exploration_fraction": 0.02,  # 100,000 of 5,000,000 steps
    "exploration_final_eps": 0.1,
    "max_grad_norm": float("inf"),
    "policy_kwargs": GAME_NET
    | {
        "optimizer_class": "torch.optim:RMSprop",
        "optimizer_kwargs": {"alpha": 0.95, "centered": True, "eps": 0.01},
    },
}

TUNED = {
    ("LunarLanderContinuous-v3", "sac"): Tuned(500_000, LANDER),
    ("BipedalWalker-v3", "sac"): Tuned(500_000, WALKER),
    ("BipedalWalker-v3", "tqc"): Tuned(500_000, WALKER),
    ("HalfCheetah-v5", "sac"): Tuned(1_000_000, MUJOCO),
    ("HalfCheetah-v5", "tqc"): Tuned(1_000_000, MUJOCO),
    ("Hopper-v5", "sac"): Tuned(1_000_000, MUJOCO),
    ("Reacher-v5", "sac"): Tuned(1_000_000, MUJOCO),
    ("Ant-v5", "sac"): Tuned(1_000_000, MUJOCO),
    ("LunarLanderContinuous-v3", "ppo"): Tuned(
        1_000_000,
        {"n_steps": 1024, "batch_size": 64, "gae_lambda": 0.98, "gamma": 0.999, "n_epochs": 4, "ent_coef": 0.01},
        envs=16,
    ),
    ("BipedalWalker-v3", "ppo"): Tuned(
        5_000_000,
        {
            "n_steps": 2048,
            "batch_size": 64,
            "gae_lambda": 0.95,
            "gamma": 0.999,
            "n_epochs": 10,
            "ent_coef": 0.0,
            "learning_rate": 3e-4,
            "clip_range": 0.18,
        },
        envs=32,
        normalise=BOTH,
    ),
    ("HalfCheetah-v5", "ppo"): Tuned(
        1_000_000,
        {
            "batch_size": 64,
            "n_steps": 512,
            "gamma": 0.98,
            "learning_rate": 2.0633e-05,
            "ent_coef": 0.000401762,
            "clip_range": 0.1,
            "n_epochs": 20,
            "gae_lambda": 0.92,
            "max_grad_norm": 0.8,
            "vf_coef": 0.58096,
            "policy_kwargs": TUNED_NET,
        },
        normalise=BOTH,
    ),
    ("Hopper-v5", "ppo"): Tuned(
        1_000_000,
        {
            "batch_size": 32,
            "n_steps": 512,
            "gamma": 0.999,
            "learning_rate": 9.80828e-05,
            "ent_coef": 0.00229519,
            "clip_range": 0.2,
            "n_epochs": 5,
            "gae_lambda": 0.99,
            "max_grad_norm": 0.7,
            "vf_coef": 0.835671,
            "policy_kwargs": TUNED_NET,
        },
        normalise=BOTH,
    ),
    ("Reacher-v5", "ppo"): Tuned(
        1_000_000,
        {
            "batch_size": 32,
            "n_steps": 512,
            "gamma": 0.9,
            "learning_rate": 0.000104019,
            "ent_coef": 7.52585e-08,
            "clip_range": 0.3,
            "n_epochs": 5,
            "gae_lambda": 1.0,
            "max_grad_norm": 0.9,
            "vf_coef": 0.950368,
        },
        normalise=BOTH,
    ),
    ("Ant-v5", "ppo"): Tuned(1_000_000, normalise=BOTH),
    **{(name, "ppo"): Tuned(100_000, GRID, envs=8, normalise=BOTH) for name in WIDE if "MiniGrid" in name},
    **{(name, "dqn"): Tuned(100_000, {**DQN_ACROBOT, "policy_kwargs": NET}) for name in WIDE if "MiniGrid" in name},
    **{(name, "ppo"): Tuned(10_000_000, GAME_PPO, envs=8) for name in WIDE if "MinAtar" in name},
    **{(name, "dqn"): Tuned(5_000_000, GAME_DQN) for name in WIDE if "MinAtar" in name},
}


def resolved(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings with what "module:name" stands for, at any depth."""
    return {
        name: resolved(value)
        if isinstance(value, dict)
        else pkgutil.resolve_name(value)
        if isinstance(value, str) and ":" in value
        else value
        for name, value in settings.items()
    }


def train(env_id: str, seed: int, course: Any, *, agent: str, tuned: Tuned) -> dict[str, Any]:
    """Train a rival, evaluated between its rollouts."""
    return train_sb3(env_id, seed, course, agent=agent, tuned=replace(tuned, settings=resolved(tuned.settings)))


ENTRIES = {
    (env_id, agent): Entry(partial(train, agent=agent, tuned=tuned), WIDE[env_id].budget, even_grid)
    for (env_id, agent), tuned in TUNED.items()
}
