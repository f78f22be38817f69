"""Whom we are compared with: stable-baselines3 and sb3-contrib as tuned in rl-baselines3-zoo, and two simple agents.

The two simple agents play CartPole only: random linear search, without which a CartPole figure means little, and the
learning rule that the project started from.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from dynlive_rl import Network
from protocol import TASKS, Course, Entry, Over, coarse_grid, fine_grid

# -- stable-baselines3 and sb3-contrib ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tuned:
    """Published settings of one algorithm for one environment.

    Attributes
    ----------
    steps
        The published budget; rates and exploration are scheduled over it.
    settings
        Keyword arguments of the algorithm; those not given keep its defaults.
    envs
        Environments side by side.
    normalise
        Keyword arguments of VecNormalize. None: nothing is normalised.
    policy
        Name of the policy.
    frames
        Observations that are stacked, ≥ 1; 1: none are.
    """

    steps: int
    settings: dict[str, Any] = field(default_factory=dict)
    envs: int = 1
    normalise: dict[str, bool] | None = None
    policy: str = "MlpPolicy"
    frames: int = 1


def falling(start: float) -> Callable[[float], float]:
    """Return a schedule from `start` down to 0."""
    return lambda remaining: remaining * start


BOTH: dict[str, bool] = {"norm_obs": True, "norm_reward": True}
NET = {"net_arch": [256, 256]}
DQN_CARTPOLE = {
    "learning_rate": 2.3e-3,
    "batch_size": 64,
    "buffer_size": 100_000,
    "learning_starts": 1_000,
    "gamma": 0.99,
    "target_update_interval": 10,
    "train_freq": 256,
    "gradient_steps": 128,
    "exploration_fraction": 0.16,
    "exploration_final_eps": 0.04,
}
DQN_MOUNTAIN_CAR = {
    "learning_rate": 4e-3,
    "batch_size": 128,
    "buffer_size": 10_000,
    "learning_starts": 1_000,
    "gamma": 0.98,
    "target_update_interval": 600,
    "train_freq": 16,
    "gradient_steps": 8,
    "exploration_fraction": 0.2,
    "exploration_final_eps": 0.07,
}
DQN_ACROBOT = {
    "learning_rate": 6.3e-4,
    "batch_size": 128,
    "buffer_size": 50_000,
    "learning_starts": 0,
    "gamma": 0.99,
    "target_update_interval": 250,
    "train_freq": 4,
    "gradient_steps": -1,
    "exploration_fraction": 0.12,
    "exploration_final_eps": 0.1,
}

TUNED = {
    ("CartPole-v1", "ppo"): Tuned(
        100_000,
        {
            "n_steps": 32,
            "batch_size": 256,
            "gae_lambda": 0.8,
            "gamma": 0.98,
            "n_epochs": 20,
            "learning_rate": falling(1e-3),
            "clip_range": falling(0.2),
        },
        envs=8,
    ),
    ("Acrobot-v1", "ppo"): Tuned(
        1_000_000, {"n_steps": 256, "gae_lambda": 0.94, "gamma": 0.99, "n_epochs": 4}, envs=16, normalise=BOTH
    ),
    ("MountainCar-v0", "ppo"): Tuned(
        1_000_000, {"n_steps": 16, "gae_lambda": 0.98, "gamma": 0.99, "n_epochs": 4}, envs=16, normalise=BOTH
    ),
    ("LunarLander-v3", "ppo"): Tuned(
        1_000_000,
        {"n_steps": 1024, "batch_size": 64, "gae_lambda": 0.98, "gamma": 0.999, "n_epochs": 4, "ent_coef": 0.01},
        envs=16,
    ),
    ("Pendulum-v1", "ppo"): Tuned(
        100_000,
        {
            "n_steps": 1024,
            "gae_lambda": 0.95,
            "gamma": 0.9,
            "n_epochs": 10,
            "learning_rate": 1e-3,
            "use_sde": True,
            "sde_sample_freq": 4,
        },
        envs=4,
    ),
    ("MountainCarContinuous-v0", "ppo"): Tuned(
        20_000,
        {
            "n_steps": 8,
            "batch_size": 256,
            "gamma": 0.9999,
            "learning_rate": 7.77e-5,
            "ent_coef": 0.00429,
            "clip_range": 0.1,
            "n_epochs": 10,
            "gae_lambda": 0.9,
            "max_grad_norm": 5,
            "vf_coef": 0.19,
            "use_sde": True,
            "policy_kwargs": {"log_std_init": -3.29, "ortho_init": False},
        },
        normalise=BOTH,
    ),
    ("CartPole-v1", "dqn"): Tuned(50_000, {**DQN_CARTPOLE, "policy_kwargs": NET}),
    ("Acrobot-v1", "dqn"): Tuned(100_000, {**DQN_ACROBOT, "policy_kwargs": NET}),
    ("MountainCar-v0", "dqn"): Tuned(120_000, {**DQN_MOUNTAIN_CAR, "policy_kwargs": NET}),
    ("LunarLander-v3", "dqn"): Tuned(100_000, {**DQN_ACROBOT, "policy_kwargs": NET}),
    ("CartPole-v1", "qrdqn"): Tuned(50_000, {**DQN_CARTPOLE, "policy_kwargs": {**NET, "n_quantiles": 10}}),
    ("Acrobot-v1", "qrdqn"): Tuned(100_000, {**DQN_ACROBOT, "policy_kwargs": {**NET, "n_quantiles": 25}}),
    ("MountainCar-v0", "qrdqn"): Tuned(120_000, {**DQN_MOUNTAIN_CAR, "policy_kwargs": {**NET, "n_quantiles": 25}}),
    ("CartPole-v1", "a2c"): Tuned(500_000, envs=8),
    ("CartPole-v1", "ars"): Tuned(50_000, {"n_delta": 2}, policy="LinearPolicy"),
    ("MountainCarContinuous-v0", "ars"): Tuned(
        500_000,
        {"learning_rate": 0.018, "n_delta": 4, "n_top": 1, "delta_std": 0.2, "policy_kwargs": {"net_arch": [16]}},
        normalise={"norm_obs": True, "norm_reward": False},
    ),
    ("Pendulum-v1", "sac"): Tuned(20_000, {"learning_rate": 1e-3}),
    ("MountainCarContinuous-v0", "sac"): Tuned(
        50_000,
        {
            "learning_rate": 3e-4,
            "buffer_size": 50_000,
            "batch_size": 512,
            "ent_coef": 0.1,
            "train_freq": 32,
            "gradient_steps": 32,
            "gamma": 0.9999,
            "tau": 0.01,
            "learning_starts": 0,
            "use_sde": True,
            "policy_kwargs": {"log_std_init": -3.67, "net_arch": [64, 64]},
        },
    ),
}

# Greedy mean after the published budget (rl-baselines3-zoo, benchmark.md; LunarLander in its version 2).
PUBLISHED_FINAL = {
    ("MountainCar-v0", "ppo"): -110.4,
    ("LunarLander-v3", "ppo"): 242.1,
    ("Pendulum-v1", "ppo"): -172.2,
    ("MountainCarContinuous-v0", "ppo"): 88.3,
    ("MountainCar-v0", "dqn"): -100.8,
    ("LunarLander-v3", "dqn"): 154.4,
    ("MountainCar-v0", "qrdqn"): -106.0,
    ("MountainCarContinuous-v0", "ars"): 96.7,
    ("Pendulum-v1", "sac"): -157.0,
    ("MountainCarContinuous-v0", "sac"): 94.7,
}

ALGORITHMS = {"recurrent-ppo": "RecurrentPPO", "stacked-ppo": "PPO"}  # the others are called as their agents are


class Normalised:
    """The policy of a model that sees normalised observations, for observations as they are."""

    def __init__(self, model: Any) -> None:
        self.model, self.statistics = model, model.get_vec_normalize_env()

    def predict(self, observations: Any, deterministic: bool = True, **memory: Any) -> tuple[Any, Any]:
        """Normalise with the statistics as they stand, and ask the model."""
        return self.model.predict(self.statistics.normalize_obs(observations), deterministic=deterministic, **memory)


class Stacked:
    """The policy of a model that sees the latest observations side by side, for one at a time; its state is the others."""

    def __init__(self, model: Any, frames: int) -> None:
        self.model, self.frames = model, frames

    def predict(self, observations: Any, state: Any = None, deterministic: bool = True, **_: Any) -> tuple[Any, Any]:
        """Stack observations (n, f) behind those of the state (n, (frames - 1) · f), and ask the model."""
        newest = np.asarray(observations, np.float32)
        before = np.zeros((len(newest), (self.frames - 1) * newest.shape[1]), np.float32) if state is None else state
        stack = np.concatenate([before, newest], axis=1)
        actions, _ = self.model.predict(stack, deterministic=deterministic)
        return actions, stack[:, newest.shape[1] :]


def as_box(env: gym.Env[Any, Any]) -> gym.Env[Any, Any]:
    """Return an environment whose bits are float32 values in [0, 1]; any other one as it is."""
    if not isinstance(env.observation_space, gym.spaces.MultiBinary):
        return env
    space = gym.spaces.Box(0, 1, env.observation_space.shape, np.float32)
    return gym.wrappers.TransformObservation(env, lambda bits: np.asarray(bits, np.float32), space)


def train_sb3(
    env_id: str, seed: int, course: Any, *, agent: str, tuned: Tuned, world: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Train an agent of stable-baselines3 or sb3-contrib; it is evaluated between rollouts, after its updates.

    `course` is a `Course` or has its `budget`, `begin` and `passed`; `world` are arguments of the environment.
    """
    import sb3_contrib
    import stable_baselines3
    import torch
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.vec_env import VecFrameStack, VecNormalize

    torch.set_num_threads(1)
    name = ALGORITHMS.get(agent, agent.upper())
    algorithm = getattr(sb3_contrib if hasattr(sb3_contrib, name) else stable_baselines3, name)
    env = make_vec_env(env_id, tuned.envs, seed=seed, env_kwargs=world, wrapper_class=as_box)
    if tuned.frames > 1:
        env = VecFrameStack(env, tuned.frames)
    if tuned.normalise is not None:
        discount = {"gamma": tuned.settings["gamma"]} if "gamma" in tuned.settings else {}
        env = VecNormalize(env, **tuned.normalise, **discount)
    model = algorithm(tuned.policy, env, seed=seed, device="cpu", **tuned.settings)
    policy: Any = model if tuned.normalise is None else Normalised(model)
    if tuned.frames > 1:
        policy = Stacked(policy, tuned.frames)

    class Between(BaseCallback):
        def _on_rollout_start(self) -> None:
            if course.passed(self.model.num_timesteps, policy):
                raise Over  # not every algorithm listens to what a callback returns

        def _on_step(self) -> bool:
            return True

        def _on_training_end(self) -> None:
            course.passed(self.model.num_timesteps, policy)

    course.begin()
    try:
        model.learn(max(tuned.steps, course.budget), callback=Between())
    except Over:
        pass
    finally:
        env.close()
    return {"versions": {m.__name__: m.__version__ for m in (stable_baselines3, sb3_contrib, torch)}}


# -- two simple agents -------------------------------------------------------------------------------------------------


@dataclass
class Linear:
    """A policy that pushes right where weights · observation > 0."""

    weights: NDArray[np.float64]

    def predict(self, observations: Any, deterministic: bool = True) -> tuple[Any, Any]:
        """Return the side that each observation is on."""
        return (np.asarray(observations) @ self.weights > 0).astype(np.int64), None


def train_random_linear(env_id: str, seed: int, course: Course) -> dict[str, Any]:
    """Search at random: weights uniform in [-1, 1], kept for good after three full-length episodes in a row.

    What is evaluated is the policy being tried; `accepted_at` counts the episodes that confirmed it.
    """
    env = gym.make(env_id)
    random = np.random.default_rng(seed)
    course.begin()
    policy = Linear(random.uniform(-1, 1, env.observation_space.shape))
    observation, _ = env.reset(seed=seed)
    steps = full = tried = 0
    accepted_at = None
    while not course.over:
        action, _ = policy.predict(observation)
        observation, _, terminated, truncated, _ = env.step(int(action))
        steps += 1
        if terminated or truncated:
            full = 0 if terminated else full + 1
            if full == 3 and accepted_at is None:
                accepted_at = steps
            if terminated and accepted_at is None:
                tried += 1
                policy = Linear(random.uniform(-1, 1, env.observation_space.shape))
            observation, _ = env.reset()
        course.passed(steps, policy)
    return {"accepted_at": accepted_at, "rejected": tried}


class OriginalRule:
    """The rule the project started from: the chosen action's neuron gets the environment's reward as it is.

    Observations come scaled to [0, 1] by their running mean and deviation. Actions are drawn in proportion to the action
    neurons' outputs; the strongest one acts greedily.
    """

    def __init__(self, observations: int, actions: int, seed: int) -> None:
        self.network = Network.layered(
            inputs=observations, outputs=actions, rule="original", dual_rail=False, seed=seed
        )
        self.random = np.random.default_rng(seed)
        self.count = 0
        self.mean, self.squares = np.zeros(observations), np.zeros(observations)

    def act(self, observation: Any) -> int:
        """Take an observation into the running statistics, and draw an action."""
        self.count += 1
        off = observation - self.mean
        self.mean += off / self.count
        self.squares += off * (observation - self.mean)
        outputs = self.network.propagate(self._scaled(observation)).astype(np.float64)
        whole = outputs.sum()
        return int(self.random.choice(outputs.size, p=outputs / whole if whole > 0 else None))

    def reward(self, action: int, reward: float) -> None:
        """Give the reward to the neuron of the action just taken."""
        self.network.reinforce(np.eye(len(self.network.output_ids))[action] * reward)

    def predict(self, observations: Any, deterministic: bool = True) -> tuple[Any, Any]:
        """Return the strongest action for each observation, and leave the network as it was."""
        state = self.network.get_state()
        actions = [self.network.propagate(row).argmax() for row in self._scaled(np.asarray(observations))]
        self.network.set_state(state)
        return np.array(actions), None

    def _scaled(self, observations: Any) -> Any:
        deviation = np.sqrt(self.squares / max(self.count, 1)) + 1e-8
        return 0.5 + 0.5 * np.tanh((observations - self.mean) / (2 * deviation))


def train_original_rule(env_id: str, seed: int, course: Course) -> dict[str, Any]:
    """Let the original rule act, and reward it after every step."""
    env = gym.make(env_id)
    agent = OriginalRule(int(env.observation_space.shape[0]), int(env.action_space.n), seed)
    agent.reward(agent.act(np.zeros(env.observation_space.shape)), 0.0)  # compiles; a reward of 0 teaches nothing
    agent = OriginalRule(int(env.observation_space.shape[0]), int(env.action_space.n), seed)
    course.begin()
    observation, _ = env.reset(seed=seed)
    steps = 0
    while not course.over:
        action = agent.act(observation)
        observation, reward, terminated, truncated, _ = env.step(action)
        agent.reward(action, float(reward))
        if terminated or truncated:
            observation, _ = env.reset()
        steps += 1
        course.passed(steps, agent)
    return {"connections": agent.network.connections}


# CartPole and Acrobot are played to the end of the published budget; elsewhere a run may stop once it has solved.
ENTRIES = {
    (env_id, agent): Entry(
        partial(train_sb3, agent=agent, tuned=tuned),
        tuned.steps,
        coarse_grid,
        may_stop=env_id not in ("CartPole-v1", "Acrobot-v1"),
    )
    for (env_id, agent), tuned in TUNED.items()
} | {
    ("CartPole-v1", "random-linear"): Entry(train_random_linear, TASKS["CartPole-v1"].budget, fine_grid),
    ("CartPole-v1", "original-rule"): Entry(train_original_rule, TASKS["CartPole-v1"].budget, fine_grid),
}
