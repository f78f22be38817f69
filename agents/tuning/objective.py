"""What a configuration is worth: agents learn in all environments, and are evaluated on the way."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zlib import crc32

import gymnasium as gym
import numpy as np

from ..agent import DynLiveAgent
from ..config import AgentConfig
from ..environments import make, spec_of
from ..live_config import LiveConfig
from ..modes import CONFIGS

EVALUATION_SEED = 1_000_000  # far from the seeds that agents learn with
RANDOM_EPISODES = 20
LONGEST = 10_000  # steps of a random episode
LESSONS = "lessons.json"

Config = AgentConfig | LiveConfig


@dataclass(frozen=True)
class Task:
    """An environment, and what returns mean there.

    Attributes
    ----------
    env
        Its id, or module:id.
    low, good
        The mean return of random actions, which scores 0, and what is good, which scores 1.
    """

    env: str
    low: float
    good: float

    def score(self, mean_return: float) -> float:
        """Return what a mean return is worth, in [0, 1]: more than good is no better."""
        return min(max((mean_return - self.low) / (self.good - self.low), 0.0), 1.0)


@dataclass(frozen=True)
class Plan:
    """What is asked of every configuration.

    Attributes
    ----------
    mode, config
        The agents', the latter as a tree by name: where a search begins.
    tasks
        What they learn, each by agents of its own.
    steps, rungs
        Environment steps of an agent, and in how many parts: after each it is evaluated.
    episodes
        Episodes of an evaluation.
    path
        Where modules of environments are looked for, besides where Python does.
    """

    mode: str
    config: Mapping[str, Any]
    tasks: tuple[Task, ...]
    steps: int
    rungs: int
    episodes: int
    path: tuple[str, ...] = ()

    def configuration(self, settings: Mapping[str, float]) -> Config:
        """Return the configuration that a search begins with, with other values of some settings, by group.name."""
        config: Any = CONFIGS[self.mode](**self.config)
        for name, value in settings.items():
            group, _, field = name.partition(".")
            config = replace(config, **{group: replace(getattr(config, group), **{field: value})})
        return config  # type: ignore[no-any-return]


def combined(scores: Sequence[float]) -> float:
    """Return what scores in several environments are worth together: their mean, and the worst counts once more.

    A configuration is to serve all; the worst alone would say nothing about all the others while one is hopeless.
    """
    return float(np.mean(scores) + np.min(scores)) / 2


def task_of(env_id: str, good: float | None, seed: int = 0) -> Task:
    """Return the task of an environment, after playing some episodes at random.

    Raises
    ------
    ValueError
        If nobody says what return is good, or it is not more than random actions bring.
    """
    env = make(env_id)
    assert isinstance(env, gym.Env)
    spec = spec_of(env)
    if good is None:
        good = None if spec is None else spec.reward_threshold
    if good is None:
        raise ValueError(f"nothing says what return is good in {env_id}: name one, e.g. --good {env_id}=100")
    low = _random_return(env, seed)
    env.close()
    if not good > low:
        raise ValueError(f"a good return in {env_id} must be more than random actions bring, {low:.6g}, not {good:g}")
    return Task(env_id, low, float(good))


def _random_return(env: gym.Env[Any, Any], seed: int) -> float:
    """Return the mean return of episodes of random actions."""
    env.action_space.seed(seed)
    total = 0.0
    for episode in range(RANDOM_EPISODES):
        env.reset(seed=seed + episode)
        for _ in range(LONGEST):
            _, reward, terminated, truncated, _ = env.step(env.action_space.sample())
            total += float(reward)
            if terminated or truncated:
                break
    return total / RANDOM_EPISODES


class Lessons:
    """Agents of one configuration that learn the tasks of a plan, for every task and seed one.

    Parameters
    ----------
    plan
        What is asked of them.
    settings
        Other values of the configuration's settings, by group.name.
    seeds
        Theirs.

    Attributes
    ----------
    scores
        Per part so far, the score in every task: means over the seeds.
    returns
        The same as mean returns.
    inherited
        How often they took over what others had learned.
    """

    def __init__(self, plan: Plan, settings: Mapping[str, float], seeds: Sequence[int]) -> None:
        sys.path += [folder for folder in plan.path if folder not in sys.path]
        self.plan, self.seeds, self.settings = plan, tuple(seeds), dict(settings)
        self.scores: list[list[float]] = []
        self.returns: list[list[float]] = []
        self.inherited = 0
        config = plan.configuration(settings)
        mode: Any = plan.mode
        self.agents = [
            [DynLiveAgent(task.env, mode=mode, seed=seed, config=config) for seed in seeds] for task in plan.tasks
        ]

    @property
    def rung(self) -> int:
        """How many parts of the steps are learned."""
        return len(self.scores)

    def advance(self) -> None:
        """Learn the next part in all tasks, and be evaluated."""
        plan, done = self.plan, self.rung
        steps = plan.steps * (done + 1) // plan.rungs - plan.steps * done // plan.rungs
        means = []
        for agents in self.agents:
            for agent in agents:
                agent.learn(steps, reset_num_timesteps=False, progress_bar=False)
            evaluations = [agent.evaluate(plan.episodes, seed=EVALUATION_SEED, progress_bar=False) for agent in agents]
            means.append([evaluation.mean for evaluation in evaluations])
        self.returns.append([float(np.mean(of_task)) for of_task in means])
        self.scores.append(
            [
                float(np.mean([task.score(mean) for mean in of_task]))
                for task, of_task in zip(plan.tasks, means, strict=True)
            ]
        )

    def task_scores(self) -> list[float]:
        """Return the mean score so far in every task: who learns sooner has more."""
        return [float(mean) for mean in np.mean(self.scores, axis=0)]

    def score(self) -> float:
        """Return what the configuration is worth, by all evaluations so far."""
        return combined(self.task_scores())

    def latest(self) -> float:
        """Return what it is worth by the last evaluation."""
        return combined(self.scores[-1])

    # -- in a folder -----------------------------------------------------------------------------------------------------

    def save(self, folder: Path, name: str) -> None:
        """Keep the agents in a folder, each in a file of its own, and who they are."""
        for task, agents in zip(self.plan.tasks, self.agents, strict=True):
            for seed, agent in zip(self.seeds, agents, strict=True):
                agent.save(folder / file_name(task, seed))
        said = {"name": name, "scores": self.scores, "returns": self.returns, "inherited": self.inherited}
        (folder / LESSONS).write_text(json.dumps(said))

    def go_on(self, folder: Path, name: str) -> None:
        """Go on with the agents of a folder: if they are someone else's, as heirs of all that was learned.

        Heirs keep their own settings, and chance goes other ways with them than with those they inherit from.

        Raises
        ------
        CheckpointError
            If the agents there are made of something else: a setting differs that counts at birth.
        """
        said = json.loads((folder / LESSONS).read_text())
        self.scores, self.returns, self.inherited = said["scores"], said["returns"], said["inherited"]
        is_own = said["name"] == name
        self.inherited += not is_own
        for task, agents in zip(self.plan.tasks, self.agents, strict=True):
            for k, seed in enumerate(self.seeds):
                saved = DynLiveAgent.load(folder / file_name(task, seed), env=task.env)
                if is_own:
                    agents[k] = saved
                else:
                    agents[k].set_state(saved.get_state())
                    agents[k].set_random_seed(crc32(f"{name} {self.inherited} {seed}".encode()))


def file_name(task: Task, seed: int) -> str:
    """Return what the file of a task's agent is called."""
    return f"{task.env.replace('/', '-').replace(':', '-')}_{seed}.dynlive"
