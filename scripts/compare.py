"""Train agents on environments over seeds by the project's protocol, one process per run, and compare them.

Runs that are there are not run again (see `runs.py`), so a stopped study goes on where it was, in pieces and on several
days. In the end all runs of the study become tables, summary.json and figures.
"""

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym

import baselines
import figures
import memory_suite
import runs
from dynlive_rl import DynLiveAgent
from protocol import Course, Entry, fine_grid
from runs import Run, Study
from tasks import CLASSIC, MEMORY, TASKS


class TimedSteps(gym.Wrapper[Any, Any, Any, Any]):
    """Adds up the seconds spent in the environment itself."""

    seconds = 0.0

    def step(self, action: Any) -> Any:
        """Step, and look at the clock."""
        start = time.perf_counter()
        result = self.env.step(action)
        self.seconds += time.perf_counter() - start
        return result


def train_dynlive(
    env_id: str, seed: int, course: Course, *, prepare: Callable[[DynLiveAgent], None] | None = None, **settings: Any
) -> dict[str, Any]:
    """Train our agent, in its default configuration unless settings say otherwise."""
    env = TimedSteps(gym.make(env_id))
    agent = DynLiveAgent(env, seed=seed, **settings)
    if prepare is not None:
        prepare(agent)
    agent.warm_up()
    course.begin()
    agent.learn(course.budget, callback=lambda _: not course.passed(agent.num_timesteps, agent), progress_bar=False)
    learning_s = course.curve[-1].wall_s
    return {
        "us_per_step": round((learning_s - env.seconds) / course.budget * 1e6, 1),
        "env_us_per_step": round(env.seconds / course.budget * 1e6, 1),
        "episodes": agent.episodes,
        "connections": agent.connections,
    }


# Our agents, with the keyword arguments that make them.
OURS: dict[str, dict[str, Any]] = {
    "dynlive": {},
    "dynlive-live": {"mode": "live"},
    "dynlive-recurrent": {"recurrent": True},
    "dynlive-recurrent-live": {"recurrent": True, "mode": "live"},
}
ENTRIES = (
    {
        (env_id, agent): Entry(partial(train_dynlive, **settings), task.budget, fine_grid)
        for agent, settings in OURS.items()
        for env_id, task in TASKS.items()
    }
    | baselines.ENTRIES
    | memory_suite.ENTRIES
)
SUITES = {"classic": CLASSIC, "memory": MEMORY}
Entries = dict[tuple[str, str], Entry]
KEY = "env", "agent", "seed"


def run(
    env_id: str, agent: str, seed: int, steps: int | None, episodes: int, study: Study, entries: Entries = ENTRIES
) -> None:
    """Do one run and write it."""
    entry = entries[env_id, agent]
    course = Course(env_id, entry, steps or entry.budget, episodes)
    extra = entry.train(env_id, seed, course)
    study.write({"env": env_id, "agent": agent, "seed": seed, **extra, **course.result()})


def pairs(envs: list[str], agents: list[str], entries: Entries = ENTRIES) -> list[tuple[str, str]]:
    """Return which agent plays where; agents do not play everywhere, but each must play somewhere.

    Raises
    ------
    ValueError
        If an agent plays in none of the environments, or none of the agents in one of them.
    """
    for agent in agents:
        if not any((env_id, agent) in entries for env_id in envs):
            where = ", ".join(env_id for env_id, other in entries if other == agent)
            raise ValueError(f"there are no settings for {agent} on {' or '.join(envs)}: it plays {where}")
    for env_id in envs:
        if not any((env_id, agent) in entries for agent in agents):
            who = ", ".join(agent for other, agent in entries if other == env_id)
            raise ValueError(f"there are no settings for {' or '.join(agents)} on {env_id}: it is played by {who}")
    return [(env_id, agent) for env_id in envs for agent in agents if (env_id, agent) in entries]


def commands(keys: list[tuple[str, str, int]], options: argparse.Namespace, script: str) -> dict[runs.Key, list[str]]:
    """Return what makes a process do a run, by the run's key."""
    common = ["--episodes", str(options.episodes), "--out", str(options.out)]
    common += ["--steps", str(options.steps)] if options.steps else []
    return {
        (env_id, agent, seed): [
            *(script, "--one", "--envs", env_id, "--agents", agent, "--seeds", str(seed)),
            *common,
        ]
        for env_id, agent, seed in keys
    }


def made_otherwise(
    keys: list[tuple[str, str, int]], study: Study, options: argparse.Namespace, entries: Entries
) -> str:
    """Return the runs that are there with another budget or fewer or more episodes per evaluation than asked for."""
    there = {study.key(run): run for run in study.read()}
    names = []
    for env_id, agent, seed in keys:
        wanted = options.steps or entries[env_id, agent].budget, options.episodes
        run = there.get((env_id, agent, seed))
        if run is not None and (run["budget"], run["evaluation_episodes"]) != wanted:
            names.append(f"{env_id} {agent} seed {seed}")
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def report(done: list[Run], folder: Path) -> str:
    """Write what the runs add up to, and short tables: our agent beside its best rivals, and a step's time.

    Returns the long table.
    """
    text = figures.write(done, folder)
    rows = figures.summary(done)
    if any(row["agent"] in OURS for row in rows) and not all(row["agent"] in OURS for row in rows):
        (folder / "headline.md").write_text(figures.headline(rows) + "\n")
        (folder / "costs.md").write_text(figures.costs(rows) + "\n")
    return text


def agents_of(entries: Entries) -> tuple[str, ...]:
    """Return the names of all agents."""
    return tuple(dict.fromkeys(agent for _, agent in entries))


def parser(entries: Entries = ENTRIES, description: str | None = __doc__) -> argparse.ArgumentParser:
    agents = agents_of(entries)
    result = argparse.ArgumentParser(description=description.partition("\n")[0] if description else None)
    result.add_argument("--suite", choices=SUITES, help="play in all environments of a suite")
    result.add_argument(
        "--envs", nargs="+", choices=TASKS, default=["CartPole-v1"], metavar="ENV", help=", ".join(TASKS)
    )
    result.add_argument(
        "--agents", nargs="+", choices=agents, default=["dynlive"], metavar="AGENT", help=", ".join(agents)
    )
    result.add_argument(
        "--steps", type=runs.positive, help="end runs after so many steps (default: the protocol's budgets)"
    )
    result.add_argument("--episodes", type=runs.positive, default=100, help="per evaluation (default: %(default)s)")
    runs.add_options(result, out="results/study", seeds="0-29")
    return result


def main(
    entries: Entries = ENTRIES,
    script: str = __file__,
    description: str | None = __doc__,
    report: Callable[[list[Run], Path], str] = report,
    **defaults: Any,
) -> int:
    """Do what the command line says with the agents of some entries, for the script that holds them."""
    arguments = parser(entries, description)
    arguments.set_defaults(**defaults)
    options = arguments.parse_args()
    if options.suite is not None:
        options.envs = list(SUITES[options.suite])
    if not runs.make_folder(options.out):
        return 2
    study = Study(options.out, KEY)
    try:
        chosen = pairs(options.envs, options.agents, entries)
        keys = [(env_id, agent, seed) for env_id, agent in chosen for seed in options.seeds]
        others = "" if options.table_only else made_otherwise(keys, study, options, entries)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    if others:
        print(f"these runs had other budgets or evaluations, take another folder: {others}", file=sys.stderr)
        return 2
    if options.one:
        run(*keys[0], options.steps, options.episodes, study, entries)
        return 0
    names = [
        f"{agent} on {env_id}" for env_id in options.envs for agent in options.agents if (env_id, agent) not in chosen
    ]
    if names:
        print(f"left out, for want of settings: {', '.join(names)}", file=sys.stderr)
    done, status = runs.conduct(study, commands(keys, options, script), options)
    if done:
        print(report(figures.ordered(done, agents_of(entries)), options.out))
    return status


if __name__ == "__main__":
    sys.exit(main())
