"""How long the agent takes to be good again after its world has changed.

Trains the default agent in an environment of `dynlive_rl.envs` whose world changes every so many steps, and counts the
steps from each change to the first evaluation, the greedy mean over whole episodes in the world as it is then, at or
above the threshold. The first number is the learning from nothing. What never comes back counts as the whole period.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from tqdm import tqdm

import dynlive_rl.envs  # noqa: F401, registers them
from dynlive_rl import DynLiveAgent
from dynlive_rl.agents.evaluation import play
from protocol import EVALUATION_SEED


def adapt(
    env_id: str, seed: int, steps: int, period: int, threshold: float, episodes: int, mode: str
) -> dict[str, Any]:
    """Train one agent, and return its steps back to the threshold after every change."""
    agent = DynLiveAgent(gym.make(env_id), seed=seed, mode=mode)  # type: ignore[arg-type]
    agent.warm_up()
    recoveries = []
    start = time.process_time()
    for change in range(0, steps, period):
        arena = gym.make_vec(env_id, num_envs=episodes, vectorization_mode="sync", start=change)
        taken = period
        for k in range(100, period + 1, 100):
            agent.learn(100, reset_num_timesteps=False, progress_bar=False)
            if taken == period and play(agent, arena, EVALUATION_SEED, deterministic=True).mean >= threshold:
                taken = k
        arena.close()
        recoveries.append(taken)
    return {
        "env": env_id, "seed": seed, "mode": mode, "period": period, "threshold": threshold, "recoveries": recoveries,
        "worlds": agent.worlds, "cpu_s": round(time.process_time() - start, 1),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--env", default="DynLive/SwapCartPole-v0", help="environment id (default: %(default)s)")
    parser.add_argument("--period", type=int, default=10_000, help="steps between changes (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=30_000, help="steps of a run (default: %(default)s)")
    parser.add_argument(
        "--threshold", type=float, default=450.0, help="mean return that is good (default: %(default)s)"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(10)), help="(default: 0 to 9)")
    parser.add_argument("--episodes", type=int, default=20, help="per evaluation (default: %(default)s)")
    parser.add_argument("--mode", choices=("rehearsal", "live"), default="rehearsal", help="(default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("results/adapt"), help="folder (default: %(default)s)")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    name = options.env.rpartition("/")[2]
    runs = []
    for seed in tqdm(options.seeds, unit="run"):
        path = options.out / f"{name}_{options.mode}_{seed}.json"
        if not path.exists():
            run = adapt(
                options.env, seed, options.steps, options.period, options.threshold, options.episodes, options.mode
            )
            partial = path.with_suffix(".partial")
            partial.write_text(json.dumps(run) + "\n")
            os.replace(partial, path)
        runs.append(json.loads(path.read_text()))
    steps = np.array([run["recoveries"] for run in runs])
    print(f"steps to {options.threshold:g} again, {len(runs)} seeds of {options.env}")
    for k, column in enumerate(steps.T):
        what = "from nothing" if k == 0 else f"change {k}"
        print(f"{what:>14}: median {np.median(column):,.0f}, worst {column.max():,}")


if __name__ == "__main__":
    main()
