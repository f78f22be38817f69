"""What the default agent makes of one-hot worlds: CliffWalking, FrozenLake, Blackjack, Taxi and a sparse chain.

Greedy means on a grid of steps, and the sampled policy's at the end. A run is good from the step on after which no evaluation
was worse than the world's good return.
"""

import argparse
import sys
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

import dynlive_rl.envs  # noqa: F401  registers the chain
import runs
from dynlive_rl import DynLiveAgent
from runs import Run
from workers import hand_in, tell

KEY = "env", "seed"
TAXI = "Taxi-v4" if "Taxi-v4" in gym.registry else "Taxi-v3"


class World(NamedTuple):
    """A world: how to make it, steps to learn, steps between evaluations, their episodes, and a good return."""

    settings: dict[str, Any]
    steps: int
    every: int
    episodes: int
    good: float


WORLDS = {
    "CliffWalking-v1": World({"max_episode_steps": 200}, 5_000, 250, 20, -15.0),
    "FrozenLake-v1": World({"is_slippery": False}, 4_000, 250, 20, 1.0),
    "DynLive/Chain-v0": World({}, 2_000, 100, 20, 0.95),
    "Blackjack-v1": World({}, 5_000, 5_000, 1_000, -0.1),
    TAXI: World({}, 50_000, 5_000, 100, 0.0),
}


def train(env_id: str, seed: int) -> Run:
    """Train one agent and return its run."""
    world = WORLDS[env_id]
    agent = DynLiveAgent(gym.make(env_id, **world.settings), seed=seed)
    steps, means = list(range(world.every, world.steps + 1, world.every)), []
    for _ in steps:
        agent.learn(world.every, reset_num_timesteps=False, progress_bar=False)
        means.append(round(agent.evaluate(world.episodes, seed=1_000_000).mean, 3))
        tell(agent.num_timesteps, world.steps, means[-1])
    sampled = agent.evaluate(world.episodes, seed=1_000_000, deterministic=False).mean
    return {"env": env_id, "seed": seed, "sampled": round(sampled, 3), "curve": {"steps": steps, "mean": means}}


def good_from(run: Run) -> float:
    """Return the steps of the evaluation from which on all are good; infinity if the last one is not."""
    good = WORLDS[run["env"]].good
    since = np.inf
    for steps, mean in zip(reversed(run["curve"]["steps"]), reversed(run["curve"]["mean"]), strict=True):
        if mean < good:
            break
        since = steps
    return float(since)


def table(done: list[Run]) -> str:
    """Return one row per world."""
    lines = [
        "| world | seeds | good from step (median) | good at the end | greedy | sampled |",
        "|---|---|---|---|---|---|",
    ]
    for env_id, world in WORLDS.items():
        some = [run for run in done if run["env"] == env_id]
        if not some:
            continue
        begins = [good_from(run) for run in some]
        middle = float(np.median(begins))
        when = f"{middle:,.0f}" if np.isfinite(middle) else f">{world.steps:,}"
        final, sampled = np.mean([run["curve"]["mean"][-1] for run in some]), np.mean([run["sampled"] for run in some])
        good = f"{sum(map(np.isfinite, begins))} (≥ {world.good:g})"
        lines.append(f"| {env_id} | {len(some)} | {when} | {good} | {final:.2f} | {sampled:.2f} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument(
        "--envs", nargs="+", choices=WORLDS, default=list(WORLDS), metavar="ENV", help=", ".join(WORLDS)
    )
    runs.add_options(parser, out="results/one-hot", seeds="0-4")
    options = parser.parse_args()
    keys = [(env_id, seed) for env_id in options.envs for seed in options.seeds]
    if options.one:
        hand_in(train(*keys[0]))
        return 0
    commands: dict[runs.Key, list[str]] = {
        (env_id, seed): [__file__, "--one", "--envs", env_id, "--seeds", str(seed)] for env_id, seed in keys
    }
    return runs.tabulate(KEY, commands, options, table)


if __name__ == "__main__":
    sys.exit(main())
