"""bsuite: short experiments on what an agent can do, played through Gymnasium and scored by bsuite's own analysis.

All experiments but those with MNIST, which is downloaded. A run is one setting of an experiment, such as catch/0, played by
one agent for as many episodes as bsuite asks for, or for fewer. stable-baselines3's agents have their default settings.
"""

import argparse
import inspect
import sys
import time
from functools import partial
from typing import Any

from bsuite import sweep
from bsuite.bsuite import EXPERIMENT_NAME_TO_ENVIRONMENT, unpack_bsuite_id
from bsuite.environments import Environment
from bsuite.environments.deep_sea import DeepSea
from bsuite.logging.base import Logger
from bsuite.utils.wrappers import Logging

import runs
from bsuite_steps import STEPS
from dm_environments import FromDmEnv
from dynlive_rl import DynLiveAgent
from runs import Run, Study
from workers import hand_in, tell

KEY = "bsuite_id", "agent", "seed"
OURS: dict[str, dict[str, Any]] = {
    "dynlive": {},
    "dynlive-live": {"mode": "live"},
    "dynlive-recurrent": {"recurrent": True},
    "dynlive-recurrent-live": {"recurrent": True, "mode": "live"},
}
RIVALS = {"dqn": "DQN", "ppo": "PPO"}
AGENTS = (*OURS, *RIVALS)
EXPERIMENTS = tuple(
    name
    for name in dict.fromkeys(unpack_bsuite_id(bsuite_id)[0] for bsuite_id in sweep.SWEEP)
    if not name.startswith("mnist")
)
# Episodes that bsuite itself notes, times powers of ten.
NOTED = 1, 1.2, 1.4, 1.7, 2, 2.5, 3, 4, 5, 6, 7, 8, 9
# Settings that are spread over those of an experiment: every scale and strength of noise once, where it has them.
SPREAD = 0, 4, 8, 12, 16
UNNOTED = "episode_len", "episode_return"


# -- a run -------------------------------------------------------------------------------------------------------------


def load(bsuite_id: str, seed: int | None) -> Environment:
    """Load a setting with a random state of its own; bsuite's would come from the clock."""
    name, _ = unpack_bsuite_id(bsuite_id)
    make = (
        partial(DeepSea, deterministic=False) if name == "deep_sea_stochastic" else EXPERIMENT_NAME_TO_ENVIRONMENT[name]
    )
    settings = {key: value for key, value in sweep.SETTINGS[bsuite_id].items() if key != "seed"}
    seeded = {"seed": seed} if "seed" in inspect.signature(make).parameters else {}
    return make(**settings, **seeded)


def most_steps(bsuite_id: str, episodes: int) -> int:
    """Return how many steps so many episodes take at most."""
    name, index = unpack_bsuite_id(bsuite_id)
    return STEPS[name][index] * episodes // sweep.EPISODES[bsuite_id]


class Rows(Logger):
    """Keeps what bsuite would write into a file, a row per episode."""

    def __init__(self, budget: int) -> None:
        self.rows: list[dict[str, Any]] = []
        self.budget = budget

    def write(self, data: dict[str, Any]) -> None:
        """Keep a row, and tell how far the run is."""
        self.rows.append({name: float(value) for name, value in data.items()})
        tell(int(data["steps"]), self.budget, float(data["episode_return"]))

    def columns(self, episodes: int) -> dict[str, list[float]]:
        """Return the rows that bsuite would have noted, and that of the last of so many episodes."""
        noted = {round(times * 10**power) for times in NOTED for power in range(len(str(episodes)))} | {episodes}
        rows = [row for row in self.rows if row["episode"] in noted and row["episode"] <= episodes]
        return {name: [row[name] for row in rows] for name in rows[0] if name not in UNNOTED}


def train(bsuite_id: str, agent: str, seed: int, episodes: int) -> Run:
    """Let an agent play episodes of a setting, and return what bsuite noted."""
    rows = Rows(most_steps(bsuite_id, episodes))
    env = FromDmEnv(lambda seed: Logging(load(bsuite_id, seed), rows, log_every=True))
    own_seed = 100 * seed + unpack_bsuite_id(bsuite_id)[1]  # settings that differ by nothing else are other runs
    if agent in OURS:
        cpu_s = learn_dynlive(env, own_seed, rows, episodes, **OURS[agent])
    else:
        cpu_s = learn_sb3(env, own_seed, rows, episodes, RIVALS[agent])
    return {
        "bsuite_id": bsuite_id,
        "agent": agent,
        "seed": seed,
        "episodes": episodes,
        "cpu_s": round(cpu_s, 3),
        "noted": rows.columns(episodes),
    }


def learn_dynlive(env: FromDmEnv, seed: int, rows: Rows, episodes: int, **settings: Any) -> float:
    """Let our agent learn for so many episodes, and return its CPU seconds."""
    agent = DynLiveAgent(env, seed=seed, **settings)
    agent.warm_up()
    start = time.process_time()
    agent.learn(10**9, callback=lambda _: len(rows.rows) < episodes, progress_bar=False)
    return time.process_time() - start


def learn_sb3(env: FromDmEnv, seed: int, rows: Rows, episodes: int, algorithm: str) -> float:
    """Let an agent of stable-baselines3 learn for so many episodes, and return its CPU seconds."""
    import stable_baselines3
    import torch
    from stable_baselines3.common.callbacks import BaseCallback

    torch.set_num_threads(1)

    class UntilPlayed(BaseCallback):
        def _on_step(self) -> bool:
            return len(rows.rows) < episodes

    model = getattr(stable_baselines3, algorithm)("MlpPolicy", env, seed=seed, device="cpu")
    start = time.process_time()
    model.learn(rows.budget + 1, callback=UntilPlayed())  # what is scheduled is so over the most steps that it may take
    return time.process_time() - start


# -- the command line --------------------------------------------------------------------------------------------------


def chosen(experiments: list[str], settings: list[str]) -> list[str]:
    """Return the settings that the command line asks for.

    Raises
    ------
    ValueError
        If a setting is none, or none of them is left.
    """
    ids = [bsuite_id for bsuite_id in sweep.SWEEP if unpack_bsuite_id(bsuite_id)[0] in experiments]
    if settings == ["testing"]:
        ids = [bsuite_id for bsuite_id in ids if bsuite_id in sweep.TESTING]
    elif settings == ["spread"]:
        ids = [bsuite_id for bsuite_id in ids if unpack_bsuite_id(bsuite_id)[1] in SPREAD]
    elif settings != ["all"]:
        if others := [text for text in settings if not text.isdecimal()]:
            raise ValueError(f"settings must be testing, spread, all or whole numbers, not {' '.join(others)}")
        ids = [bsuite_id for bsuite_id in ids if str(unpack_bsuite_id(bsuite_id)[1]) in settings]
    if not ids:
        raise ValueError(f"{' and '.join(experiments)} have no settings {' '.join(settings)}")
    return ids


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    result.add_argument(
        "--experiments", nargs="+", choices=EXPERIMENTS, default=list(EXPERIMENTS), metavar="EXPERIMENT",
        help=", ".join(EXPERIMENTS),
    )  # fmt: skip
    result.add_argument("--agents", nargs="+", choices=AGENTS, default=["dynlive"])
    result.add_argument(
        "--settings",
        nargs="+",
        default=["testing"],
        help="testing: the first one of every experiment without noise and scales, as bsuite's sweep.TESTING; spread: five of "
        "every experiment; all; or their numbers (default: testing)",
    )
    result.add_argument(
        "--episodes", type=runs.positive, help="play no more of every setting (default: as many as bsuite asks for)"
    )
    runs.add_options(result, out="results/bsuite", seeds="0")
    return result


def main() -> int:
    options = parser().parse_args()
    try:
        ids = chosen(options.experiments, options.settings)
        if options.one:
            ((bsuite_id, agent, seed),) = [(ids[0], options.agents[0], options.seeds[0])]
            hand_in(train(bsuite_id, agent, seed, played(bsuite_id, options.episodes)))
            return 0
        if not runs.make_folder(options.out):
            return 2
        study = Study(options.out, KEY)
        keys = [(bsuite_id, agent, seed) for bsuite_id in ids for agent in options.agents for seed in options.seeds]
        others = [] if options.table_only else made_otherwise(keys, study, options.episodes)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    if others:
        print(f"these runs had other numbers of episodes, take another folder: {', '.join(others)}", file=sys.stderr)
        return 2
    done, status = runs.conduct(study, {key: command(*key, options.episodes) for key in keys}, options)
    if done:
        import bsuite_table  # loads what a run can do without

        print(bsuite_table.write(done, options.out))
    return status


def played(bsuite_id: str, episodes: int | None) -> int:
    """Return how many episodes of a setting are played, of which no more are wanted."""
    return min(episodes or sweep.EPISODES[bsuite_id], sweep.EPISODES[bsuite_id])


def made_otherwise(keys: list[runs.Key], study: Study, episodes: int | None) -> list[str]:
    """Return the names of the runs that are there with another number of episodes."""
    there = {study.key(run): run["episodes"] for run in study.read()}
    return [study.name(key) for key in keys if there.get(key, played(key[0], episodes)) != played(key[0], episodes)]


def command(bsuite_id: str, agent: str, seed: int, episodes: int | None) -> list[str]:
    """Return what makes a process do a run."""
    name, index = unpack_bsuite_id(bsuite_id)
    one = ["--one", "--experiments", name, "--settings", str(index), "--agents", agent, "--seeds", str(seed)]
    return [__file__, *one, *(["--episodes", str(episodes)] if episodes else [])]


if __name__ == "__main__":
    sys.exit(main())
