"""Train agents on environments over seeds by the project's protocol, one process per run, and compare them.

Runs that are there are not run again (see `runs.py`), so a stopped study goes on where it was, in pieces and on several
days. In the end all runs of the study become tables, summary.json and figures.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym

import baselines
import memory_suite
import runs
import wide_suite
from dynlive_rl import DynLiveAgent
from protocol import Course, Entry, even_grid, fine_grid
from runs import Run, Study
from tasks import CLASSIC, MEMORY, TASKS, WIDE, Task
from workers import hand_in


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
        (env_id, agent): Entry(
            partial(train_dynlive, **settings), task.budget, even_grid if env_id in WIDE else fine_grid
        )
        for agent, settings in OURS.items()
        for env_id, task in TASKS.items()
    }
    | baselines.ENTRIES
    | memory_suite.ENTRIES
    | wide_suite.ENTRIES
)
Entries = dict[tuple[str, str], Entry]
KEY = "env", "agent", "seed"


def wide_report(done: list[Run], folder: Path) -> str:
    """Write what the runs of the wide suite add up to, and return its table."""
    import wide_table  # loads what a run can do without

    return wide_table.write(done, folder)


@dataclass(frozen=True)
class Suite:
    """Environments that are compared together.

    Attributes
    ----------
    tasks
        The environments.
    usual
        What holds for them where the command line does not say otherwise, by the names of its options.
    report
        Writes what the runs add up to and returns a table; None: as everywhere.
    """

    tasks: dict[str, Task]
    usual: dict[str, Any] = field(default_factory=dict)
    report: Callable[[list[Run], Path], str] | None = None


SUITES = {
    "classic": Suite(CLASSIC),
    "memory": Suite(MEMORY),
    "wide": Suite(
        WIDE, {"out": Path("results/wide"), "seeds": runs.seed_list("0-4"), "episodes": 20}, report=wide_report
    ),
}


def run(env_id: str, agent: str, seed: int, steps: int | None, episodes: int, entries: Entries = ENTRIES) -> Run:
    """Do one run and return it."""
    entry = entries[env_id, agent]
    course = Course(env_id, entry, steps or entry.budget, episodes)
    extra = entry.train(env_id, seed, course)
    return {"env": env_id, "agent": agent, "seed": seed, **extra, **course.result()}


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
    common = ["--episodes", str(options.episodes)]
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
    import figures  # loads what a run can do without

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
    result.add_argument(
        "--suite", choices=SUITES, help="play in the environments of a suite: in all unless --envs says which"
    )
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
    suite = SUITES.get(arguments.parse_known_args()[0].suite)
    if suite is not None:
        arguments.set_defaults(envs=list(suite.tasks), **suite.usual)
        report = suite.report or report
    options = arguments.parse_args()
    if suite is not None and (others := [env_id for env_id in options.envs if env_id not in suite.tasks]):
        arguments.error(f"{' and '.join(others)} is not in the suite {options.suite}: {', '.join(suite.tasks)} are")
    try:
        chosen = pairs(options.envs, options.agents, entries)
        keys = [(env_id, agent, seed) for env_id, agent in chosen for seed in options.seeds]
        if options.one:
            hand_in(run(*keys[0], options.steps, options.episodes, entries))
            return 0
        if not runs.make_folder(options.out):
            return 2
        study = Study(options.out, KEY)
        others = "" if options.table_only else made_otherwise(keys, study, options, entries)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    if others:
        print(f"these runs had other budgets or evaluations, take another folder: {others}", file=sys.stderr)
        return 2
    names = [
        f"{agent} on {env_id}" for env_id in options.envs for agent in options.agents if (env_id, agent) not in chosen
    ]
    if names:
        print(f"left out, for want of settings: {', '.join(names)}", file=sys.stderr)
    done, status = runs.conduct(study, commands(keys, options, script), options)
    if done:
        import figures

        print(report(figures.ordered(done, agents_of(entries)), options.out))
    return status


if __name__ == "__main__":
    sys.exit(main())
