"""What the default agent makes of one-hot worlds: CliffWalking, FrozenLake, Blackjack, Taxi and a sparse chain.

Greedy means on a grid of steps, and the sampled policy's at the end. A run is good from the step on after which no evaluation
was worse than the world's good return. One process and one file per run; runs that have a file are not run again.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

import dynlive_rl.envs  # noqa: F401  registers the chain
import runs
from dynlive_rl import DynLiveAgent

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


def train(env_id: str, seed: int) -> dict[str, Any]:
    """Train one agent and return its curve of (steps, greedy mean)."""
    world = WORLDS[env_id]
    agent = DynLiveAgent(gym.make(env_id, **world.settings), seed=seed)
    curve = []
    for steps in range(world.every, world.steps + 1, world.every):
        agent.learn(world.every, reset_num_timesteps=False, progress_bar=False)
        curve.append((steps, round(agent.evaluate(world.episodes, seed=1_000_000).mean, 3)))
    sampled = agent.evaluate(world.episodes, seed=1_000_000, deterministic=False).mean
    good = [mean >= world.good for _, mean in curve]
    first = len(good) - next((k for k, is_good in enumerate(reversed(good)) if not is_good), len(good))
    return {
        "env": env_id, "seed": seed, "best_from": curve[first][0] if first < len(curve) else None,
        "final": curve[-1][1], "sampled": round(sampled, 3), "curve": curve,
    }  # fmt: skip


def table(folder: Path) -> str:
    """Return one row per world, of the run files in a folder."""
    lines = [
        "| world | seeds | good from step (median) | good at the end | greedy | sampled |",
        "|---|---|---|---|---|---|",
    ]
    files = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    for env_id, world in WORLDS.items():
        some = [run for run in files if run["env"] == env_id]
        if not some:
            continue
        begins = [run["best_from"] or np.inf for run in some]
        middle = float(np.median(begins))
        when = f"{middle:,.0f}" if np.isfinite(middle) else f">{world.steps:,}"
        finals, sampled = (np.array([run[name] for run in some]) for name in ("final", "sampled"))
        good = f"{sum(run['best_from'] is not None for run in some)} (≥ {world.good:g})"
        lines.append(f"| {env_id} | {len(some)} | {when} | {good} | {finals.mean():.2f} | {sampled.mean():.2f} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument(
        "--envs", nargs="+", choices=WORLDS, default=list(WORLDS), metavar="ENV", help=", ".join(WORLDS)
    )
    parser.add_argument("--seeds", type=runs.seed_list, default=runs.seed_list("0-4"), help="(default: 0-4)")
    parser.add_argument("--out", type=Path, default=Path("results/one-hot"), help="folder (default: %(default)s)")
    parser.add_argument("--jobs", type=runs.positive, default=1, help="runs at a time (default: %(default)s)")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not runs.make_folder(options.out):
        return 2
    paths = {
        options.out / f"{env_id.replace('/', '-')}_{seed}.json": (env_id, seed)
        for env_id in options.envs
        for seed in options.seeds
    }
    if options.one:
        [(path, run)] = paths.items()
        runs.write(path, train(*run))
        return 0
    commands = {
        path: [__file__, "--one", "--envs", env_id, "--seeds", str(seed), "--out", str(options.out)]
        for path, (env_id, seed) in paths.items()
    }
    failed = runs.study(commands, options.jobs)
    (options.out / "table.md").write_text(table(options.out) + "\n")
    print(table(options.out))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
