"""bsuite's two memory experiments: how long and how much a recurrent agent remembers, scored by bsuite's own analysis.

A setting is solved where the mean regret of all episodes, from the first one on, is below 0.75 of that of guessing; the score
is the share of settings that are. bsuite plays 10,000 episodes of each; with fewer the first ones, of an agent that knows
nothing, weigh more.
"""

import argparse
import importlib
import sys
from typing import Any, NamedTuple

import dm_env
import gymnasium as gym
import numpy as np
import pandas as pd
from bsuite.logging.base import Logger
from bsuite.utils.wrappers import Logging

import runs
from dynlive_rl import DynLiveAgent
from runs import Run
from workers import hand_in

KEY = "experiment", "setting", "agent", "seed"
AGENTS: dict[str, dict[str, Any]] = {
    "dynlive-recurrent": {"recurrent": True},
    "dynlive-recurrent-live": {"recurrent": True, "mode": "live"},
    "dynlive": {},
}


class Experiment(NamedTuple):
    """What is varied, its values, and how many episodes are played here unless another number is given."""

    varied: str
    settings: tuple[int, ...]
    episodes: int


def experiment(name: str, varied: str, episodes: int) -> Experiment:
    """Return one of bsuite's experiments."""
    sweep = importlib.import_module(f"bsuite.experiments.{name}.sweep")
    return Experiment(varied, tuple(setting[varied] for setting in sweep.SETTINGS), episodes)


EXPERIMENTS = {
    "memory_len": experiment("memory_len", "memory_length", 300),
    "memory_size": experiment("memory_size", "num_bits", 1_000),
}


class FromDmEnv(gym.Env[Any, Any]):
    """An environment of dm_env, with observations of one array and with discrete actions, for Gymnasium.

    The last step of an episode terminates it where its discount is 0, and truncates it otherwise.
    """

    metadata = {"render_modes": []}  # noqa: RUF012

    def __init__(self, env: dm_env.Environment) -> None:
        self.env = env
        shape = (int(np.prod(env.observation_spec().shape)),)
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, shape, np.float32)
        self.action_space = gym.spaces.Discrete(int(env.action_spec().num_values))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode; a seed has no effect, as such environments get theirs when they are made."""
        super().reset(seed=seed)
        return self._observed(self.env.reset()), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Step."""
        step = self.env.step(int(action))
        terminated = step.last() and step.discount == 0
        return self._observed(step), float(step.reward), terminated, step.last() and not terminated, {}

    def _observed(self, step: dm_env.TimeStep) -> Any:
        return np.asarray(step.observation, np.float32).reshape(-1)


class Rows(Logger):
    """Keeps what bsuite would write into a file."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def write(self, data: dict[str, Any]) -> None:
        """Keep a row."""
        self.rows.append({name: float(value) for name, value in data.items()})


def train(name: str, setting: int, agent_name: str, seed: int, episodes: int) -> Run:
    """Let an agent learn one setting of an experiment, and return what bsuite noted."""
    load = importlib.import_module(f"bsuite.experiments.{name}.{name}").load
    rows = Rows()
    env = FromDmEnv(Logging(load(**{EXPERIMENTS[name].varied: setting}, seed=seed), rows, log_every=True))
    agent = DynLiveAgent(env, seed=seed, **AGENTS[agent_name])
    agent.learn(10**9, callback=lambda _: agent.episodes < episodes, progress_bar=False)
    noted = rows.rows[:episodes]
    kept = sorted({*range(9, episodes, max(episodes // 50, 1)), len(noted) - 1})
    columns = {field: [noted[k][field] for k in kept] for field in ("episode", "total_perfect", "total_regret")}
    return {
        "experiment": name, "setting": setting, "agent": agent_name, "seed": seed, "episodes": episodes, "noted": columns,
    }  # fmt: skip


def frame(done: list[Run], varied: str) -> pd.DataFrame:
    """Return runs as bsuite reads them: a row for everything noted."""
    return pd.concat([pd.DataFrame(run["noted"]).assign(**{varied: run["setting"]}) for run in done])


def table(done: list[Run]) -> str:
    """Return a row for each agent in each experiment: its score, and the settings that it solves."""
    lines = [
        "| experiment | agent | settings of bsuite's | episodes | seeds | score | not solved |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, (varied, settings, _) in EXPERIMENTS.items():
        score = importlib.import_module(f"bsuite.experiments.{name}.analysis").score
        for agent in AGENTS:
            some = [run for run in done if (run["experiment"], run["agent"]) == (name, agent)]
            if not some:
                continue
            played = sorted({run["setting"] for run in some})
            failed = [k for k in played if score(frame([run for run in some if run["setting"] == k], varied)) < 1]
            seeds, episodes = len({run["seed"] for run in some}), max(run["episodes"] for run in some)
            row = name, agent, f"{len(played)} of {len(settings)}", f"{episodes:,}", seeds
            row += f"{score(frame(some, varied)):.2f}", ", ".join(map(str, failed)) or "–"
            lines.append(f"| {' | '.join(map(str, row))} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--experiments", nargs="+", choices=EXPERIMENTS, default=list(EXPERIMENTS))
    parser.add_argument("--agents", nargs="+", choices=AGENTS, default=["dynlive-recurrent"])
    parser.add_argument("--settings", type=runs.positive, nargs="+", help="which of the settings (default: all)")
    parser.add_argument(
        "--episodes", type=runs.positive, help="of every setting (default: 300 and 1,000; bsuite's: 10,000)"
    )
    runs.add_options(parser, out="results/bsuite", seeds="0")
    options = parser.parse_args()
    keys = [
        (name, setting, agent, seed)
        for name in options.experiments
        for setting in EXPERIMENTS[name].settings
        if options.settings is None or setting in options.settings
        for agent in options.agents
        for seed in options.seeds
    ]
    if options.one:
        ((name, *rest),) = keys
        hand_in(train(name, *rest, options.episodes or EXPERIMENTS[name].episodes))
        return 0
    common = ["--one"] + (["--episodes", str(options.episodes)] if options.episodes else [])
    commands: dict[runs.Key, list[str]] = {
        (name, setting, agent, seed): [
            *(__file__, "--experiments", name, "--settings", str(setting), "--agents", agent, "--seeds", str(seed)),
            *common,
        ]
        for name, setting, agent, seed in keys
    }
    return runs.tabulate(KEY, commands, options, table)


if __name__ == "__main__":
    sys.exit(main())
