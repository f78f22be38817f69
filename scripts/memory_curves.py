"""Recurrent agents where a memory is needed: greedy returns on the way, a line of JSON per run.

`python scripts/memory_curves.py > results/memory/curves.jsonl`; about fifteen minutes on one core.
"""

import argparse
import json

import gymnasium as gym

import dynlive_rl.envs  # noqa: F401  (registers them)
from dynlive_rl import DynLiveAgent
from runs import seed_list

EPISODES, EVALUATION_SEED = 20, 7
# Environment, its settings, steps between evaluations, steps in all.
RUNS = (
    ("MaskedCartPole", {}, 500, 10_000),
    ("DelayedCue", {"delay": 5}, 200, 2_000),
    ("DelayedCue", {"delay": 50}, 500, 8_000),
    ("DelayedCue", {"delay": 500}, 2_000, 20_000),
    ("MemoryXor", {}, 500, 4_000),
    ("TMaze", {}, 1_000, 12_000),
    ("DelayedReward", {"delay": 5}, 200, 4_000),
    ("DelayedReward", {"delay": 50}, 500, 10_000),
    ("DelayedReward", {"delay": 500}, 1_000, 20_000),
)


def curve(name: str, settings: dict[str, int], every: int, steps: int, seed: int) -> list[float]:
    """Return the mean returns after every so many steps."""
    agent = DynLiveAgent(gym.make(f"DynLive/{name}-v0", **settings), seed=seed, recurrent=True)
    means = []
    for _ in range(0, steps, every):
        agent.learn(every, progress_bar=False, reset_num_timesteps=False)
        means.append(round(agent.evaluate(EPISODES, seed=EVALUATION_SEED).mean, 2))
    return means


def main() -> None:
    """Print the curves of all runs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=seed_list, default=seed_list("3000-3019"), help="like 7, 0-29 or 0-9,20")
    seeds = parser.parse_args().seeds
    for name, settings, every, steps in RUNS:
        for seed in seeds:
            means = curve(name, settings, every, steps, seed)
            print(json.dumps({"env": name, **settings, "seed": seed, "every": every, "means": means}), flush=True)


if __name__ == "__main__":
    main()
