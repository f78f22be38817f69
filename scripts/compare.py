"""Train agents on environments over seeds by the project's protocol, one process per run, and compare them.

Every run writes one JSON file, whole or not at all; runs that have one are not run again, so a stopped study goes on
where it was, in pieces and on several days. In the end all run files in the folder become a table, summary.json and
figures.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym

import baselines
import figures
import runs
from dynlive_rl import DynLiveAgent
from protocol import TASKS, Course, Entry, fine_grid


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
    learning_s = course.curve[-1][2]
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
}
ENTRIES = {
    (env_id, agent): Entry(partial(train_dynlive, **settings), task.budget, fine_grid)
    for agent, settings in OURS.items()
    for env_id, task in TASKS.items()
} | baselines.ENTRIES
Entries = dict[tuple[str, str], Entry]


def run(
    env_id: str, agent: str, seed: int, steps: int | None, episodes: int, path: Path, entries: Entries = ENTRIES
) -> None:
    """Do one run and write its file."""
    entry = entries[env_id, agent]
    course = Course(env_id, entry, steps or entry.budget, episodes)
    extra = entry.train(env_id, seed, course)
    runs.write(path, {"env": env_id, "agent": agent, "seed": seed, **course.result(), **extra})


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


def study(keys: list[tuple[str, str, int]], options: argparse.Namespace, script: str = __file__) -> list[str]:
    """Do the runs that have no file yet, one process each; return a line for each that failed."""
    commands = {}
    for env_id, agent, seed in keys:
        command = [script, "--one", "--envs", env_id, "--agents", agent, "--seeds", str(seed)]
        command += ["--episodes", str(options.episodes), "--out", str(options.out)]
        command += ["--steps", str(options.steps)] if options.steps else []
        commands[options.out / f"{env_id}_{agent}_{seed}.json"] = command
    return runs.study(commands, options.jobs)


def of_other_budgets(keys: list[tuple[str, str, int]], options: argparse.Namespace, entries: Entries) -> str:
    """Return the names of the files that hold runs of other budgets than those asked for."""
    names = []
    for env_id, agent, seed in keys:
        path = options.out / f"{env_id}_{agent}_{seed}.json"
        wanted = options.steps or entries[env_id, agent].budget
        if path.exists() and json.loads(path.read_text()).get("budget", wanted) != wanted:
            names.append(path.name)
    return ", ".join(names)


def agents_of(entries: Entries) -> tuple[str, ...]:
    """Return the names of all agents."""
    return tuple(dict.fromkeys(agent for _, agent in entries))


def parser(entries: Entries = ENTRIES, description: str | None = __doc__) -> argparse.ArgumentParser:
    agents = agents_of(entries)
    result = argparse.ArgumentParser(description=description.partition("\n")[0] if description else None)
    result.add_argument(
        "--envs", nargs="+", choices=TASKS, default=["CartPole-v1"], metavar="ENV", help=", ".join(TASKS)
    )
    result.add_argument(
        "--agents", nargs="+", choices=agents, default=["dynlive"], metavar="AGENT", help=", ".join(agents)
    )
    result.add_argument("--seeds", type=runs.seed_list, default=runs.seed_list("0-29"), help="e.g. 0-29 (default)")
    result.add_argument(
        "--steps", type=runs.positive, help="end runs after so many steps (default: the protocol's budgets)"
    )
    result.add_argument("--episodes", type=runs.positive, default=100, help="per evaluation (default: %(default)s)")
    result.add_argument("--jobs", type=runs.positive, default=1, help="runs at a time (default: %(default)s)")
    result.add_argument("--out", type=Path, default=Path("results"), help="folder (default: %(default)s)")
    result.add_argument(
        "--table-only", action="store_true", help="run nothing; table and figures of the files there are"
    )
    result.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    return result


def main(entries: Entries = ENTRIES, script: str = __file__, description: str | None = __doc__, **defaults: Any) -> int:
    """Do what the command line says with the agents of some entries, for the script that holds them."""
    arguments = parser(entries, description)
    arguments.set_defaults(**defaults)
    options = arguments.parse_args()
    if not runs.make_folder(options.out):
        return 2
    failed = []
    if not options.table_only:
        try:
            chosen = pairs(options.envs, options.agents, entries)
        except ValueError as error:
            print(error, file=sys.stderr)
            return 2
        names = [
            f"{agent} on {env_id}"
            for env_id in options.envs
            for agent in options.agents
            if (env_id, agent) not in chosen
        ]
        if names:
            print(f"left out, for want of settings: {', '.join(names)}", file=sys.stderr)
        keys = [(env_id, agent, seed) for env_id, agent in chosen for seed in options.seeds]
        if others := of_other_budgets(keys, options, entries):
            print(f"these runs had other budgets, take another folder or delete them: {others}", file=sys.stderr)
            return 2
        if options.one:
            path = options.out / "{}_{}_{}.json".format(*keys[0])
            run(*keys[0], options.steps, options.episodes, path, entries)
            return 0
        try:
            failed = study(keys, options, script)
        except KeyboardInterrupt:
            print("stopped; the same command goes on where it was", file=sys.stderr)
            return 130
    if done := figures.read(options.out, agents_of(entries)):
        print(figures.write(done, options.out))
    else:
        print(f"there are no runs in {options.out} yet", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
