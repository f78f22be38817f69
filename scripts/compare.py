"""Train agents on environments over seeds by the project's protocol, one process per run, and print the table.

Every run writes one JSON file, whole or not at all; runs that have one are not run again, so a stopped study goes on
where it was. Steps to solve: the first of three consecutive evaluations, each the greedy mean over 100 episodes, at or
above the environment's threshold. Evaluations are not counted and touch nothing that learning sees.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from tqdm import tqdm

# Threshold and budget of every environment.
TASKS = {
    "CartPole-v1": (475.0, 20_000),
    "Acrobot-v1": (-100.0, 20_000),
    "MountainCar-v0": (-110.0, 40_000),
    "LunarLander-v3": (200.0, 100_000),
    "Pendulum-v1": (-200.0, 20_000),
    "MountainCarContinuous-v0": (90.0, 20_000),
}
EVALUATION_SEED = 1_000_000


def evaluation_steps(budget: int) -> Iterator[int]:
    """Yield every 100 steps up to 3,000, every 500 up to 20,000, every 2,500 beyond, and the budget itself."""
    grid = [*range(100, 3_000, 100), *range(3_000, 20_000, 500), *range(20_000, budget + 1, 2_500)]
    yield from sorted({step for step in grid if step < budget} | {budget})


class TimedSteps(gym.Wrapper[Any, Any, Any, Any]):
    """Adds up the seconds spent in the environment itself."""

    seconds = 0.0

    def step(self, action: Any) -> Any:
        """Step, and look at the clock."""
        start = time.perf_counter()
        result = self.env.step(action)
        self.seconds += time.perf_counter() - start
        return result


def run_dynlive(env_id: str, seed: int, budget: int, episodes: int) -> dict[str, Any]:
    """Train the default agent, evaluating it on the way."""
    from dynlive_rl.agents import DynLiveAgent, Report
    from dynlive_rl.agents.evaluation import play

    env = TimedSteps(gym.make(env_id))
    arena = gym.make_vec(env_id, num_envs=episodes)
    start = time.perf_counter()
    agent = DynLiveAgent(env, seed=seed)
    agent.warm_up()
    compile_s = time.perf_counter() - start
    due = evaluation_steps(budget)
    next_due = next(due)
    curve: list[tuple[int, float, float]] = []
    pause = 0.0

    def evaluate(report: Report) -> None:
        nonlocal next_due, pause
        if agent.num_timesteps >= next_due:
            begun = time.perf_counter()
            mean = play(agent, arena, EVALUATION_SEED, deterministic=True).mean
            pause += time.perf_counter() - begun
            curve.append((agent.num_timesteps, mean, time.perf_counter() - start - pause))
            next_due = next(due, budget + 1)

    start = time.perf_counter()
    agent.learn(budget, callback=evaluate, progress_bar=False)
    learning_s = time.perf_counter() - start - pause
    return {
        "curve": curve,
        "compile_s": round(compile_s, 2),
        "learning_s": round(learning_s, 2),
        "us_per_step": round((learning_s - env.seconds) / budget * 1e6, 1),
        "env_us_per_step": round(env.seconds / budget * 1e6, 1),
        "episodes": agent.episodes,
        "connections": agent.connections,
    }


AGENTS = {"dynlive": run_dynlive}


def run(env_id: str, agent: str, seed: int, budget: int, episodes: int, path: Path) -> None:
    """Do one run and write its file."""
    threshold = TASKS[env_id][0]
    result = AGENTS[agent](env_id, seed, budget, episodes)
    means = np.array([mean for _, mean, _ in result["curve"]])
    above = means >= threshold
    solved = [k for k in range(len(above) - 2) if above[k : k + 3].all()]
    first = solved[0] if solved else None
    summary = {
        "env": env_id,
        "agent": agent,
        "seed": seed,
        "budget": budget,
        "threshold": threshold,
        "solved_at": None if first is None else result["curve"][first][0],
        "solved_s": None if first is None else round(result["curve"][first][2], 3),
        "stays_solved": None if first is None else round(float(above[first:].mean()), 4),
        "final": float(means[-1]),
    }
    result["curve"] = [(step, round(mean, 2), round(seconds, 3)) for step, mean, seconds in result["curve"]]
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({**summary, **result}) + "\n")
    os.replace(partial, path)


def table(runs: list[dict[str, Any]]) -> str:
    """Return the table of all runs: a row per run and a row of medians per environment and agent."""
    rows = [
        "| environment | agent | seed | solved at | stays | final | µs per step beyond env |",
        "|---|---|---|---|---|---|---|",
    ]
    for env_id in TASKS:
        for agent in AGENTS:
            group = sorted((r for r in runs if (r["env"], r["agent"]) == (env_id, agent)), key=lambda r: int(r["seed"]))
            if not group:
                continue
            for r in group:
                solved = "–" if r["solved_at"] is None else f"{r['solved_at']:,}"
                stays = "–" if r["stays_solved"] is None else f"{r['stays_solved']:.2f}"
                rows.append(
                    f"| {env_id} | {agent} | {r['seed']} | {solved} | {stays} | {r['final']:.1f} | {r['us_per_step']:.0f} |"
                )
            steps = np.median([np.inf if r["solved_at"] is None else r["solved_at"] for r in group])
            stays = np.mean([r["stays_solved"] or 0.0 for r in group])
            final = np.median([r["final"] for r in group])
            cost = np.median([r["us_per_step"] for r in group])
            solved = f"{steps:,.0f}" if np.isfinite(steps) else "–"
            count = sum(r["solved_at"] is not None for r in group)
            rows.append(
                f"| **{env_id}** | **{agent}** | **{count} of {len(group)} solved** | **{solved}** | **{stays:.2f}** "
                f"| **{final:.1f}** | **{cost:.0f}** |"
            )
    return "\n".join(rows)


def seed_range(text: str) -> list[int]:
    """Parse "7" or "0-29"."""
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--envs", nargs="+", choices=TASKS, default=["CartPole-v1"])
    parser.add_argument("--agents", nargs="+", choices=AGENTS, default=["dynlive"])
    parser.add_argument("--seeds", type=seed_range, default=seed_range("0-29"), help="e.g. 0-29 (default)")
    parser.add_argument("--steps", type=int, default=None, help="budget (default: the protocol's)")
    parser.add_argument("--episodes", type=int, default=100, help="per evaluation (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder (default: %(default)s)")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    runs = [(env, agent, seed) for env in options.envs for agent in options.agents for seed in options.seeds]
    paths = {key: options.out / "{}_{}_{}.json".format(*key) for key in runs}
    if options.one:
        (key,) = runs
        run(*key, options.steps or TASKS[key[0]][1], options.episodes, paths[key])
        return

    def start(key: tuple[str, str, int]) -> None:
        env, agent, seed = key
        command = [sys.executable, __file__, "--one", "--envs", env, "--agents", agent, "--seeds", str(seed)]
        command += ["--episodes", str(options.episodes), "--out", str(options.out)]
        command += ["--steps", str(options.steps)] if options.steps else []
        one_thread = {name: "1" for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")}
        subprocess.run(command, check=True, env={**os.environ, **one_thread})

    todo = [key for key in runs if not paths[key].exists()]
    with ThreadPoolExecutor(options.jobs) as pool:
        for future in tqdm(as_completed([pool.submit(start, key) for key in todo]), total=len(todo), unit="run"):
            future.result()
    print(table([json.loads(path.read_text()) for path in paths.values()]))


if __name__ == "__main__":
    main()
