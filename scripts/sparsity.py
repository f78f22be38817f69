"""The sparsity-score curve: sparse networks that grow against networks that start with all connections.

Every setting is a share of connections at first (`connect`) and a pruning fraction (`prune_fraction`) of the agent's
configuration. Counts the steps to solve (first of three evaluations in a row at or above the threshold; unsolved runs
count as all steps), the score at the end and the share of the allowed connections that is left, of both networks.
"""

import argparse
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import matplotlib.pyplot as plt
import numpy as np

import protocol
from dynlive_rl import DynLiveAgent
from dynlive_rl.agents import AgentConfig
from dynlive_rl.agents.evaluation import play

STEPS = {"CartPole-v1": 6_000, "Acrobot-v1": 6_000, "MountainCar-v0": 8_000}
SETTINGS = ((1.0, 0.0), (0.1, 0.3), (0.1, 0.6), (0.1, 0.0), (1.0, 0.3), (1.0, 0.6), (0.1, 0.1), (0.1, 0.8))


def share(agent: DynLiveAgent) -> float:
    """Return the share of the allowed connections of both networks that there is."""
    networks = agent.actor, agent.critic
    return sum(net.connections for net in networks) / sum(net.allowed_connections for net in networks)


def run(env_id: str, config: AgentConfig, seed: int, every: int, episodes: int) -> dict[str, Any]:
    """Train one agent and return its curve of (steps, greedy mean, share of connections)."""
    agent = DynLiveAgent(gym.make(env_id), seed=seed, config=config)
    arena = protocol._arena(env_id, episodes)
    curve = [(0, None, round(share(agent), 3))]
    for steps in range(every, STEPS[env_id] + 1, every):
        agent.learn(every, reset_num_timesteps=False, progress_bar=False)
        mean = play(agent, arena, protocol.EVALUATION_SEED, deterministic=True).mean
        curve.append((steps, round(mean, 1), round(share(agent), 3)))
    arena.close()
    first = protocol.first_solved([point[1] for point in curve[1:]], protocol.TASKS[env_id].threshold)
    last = [point[1] for point in curve[-max(1, len(curve) // 5) :]]
    return {
        "env": env_id, "seed": seed, "connect": config.connect, "prune_fraction": config.rule.prune_fraction,
        "recruit_below": config.rule.recruit_below, "solved_at": None if first is None else curve[first + 1][0],
        "score": round(float(np.mean(last)), 1), "share": curve[-1][2], "curve": curve,
    }  # fmt: skip


def table(runs: list[dict[str, Any]]) -> list[str]:
    """One row per environment and setting, means over seeds; the ratio over the seeds that a full start ran too."""
    lines = ["| environment | start | φ | recruits | seeds | steps to solve | ÷ full start | score | share left |"]
    lines.append("|" + "---|" * 9)
    for env_id in STEPS:
        kinds: dict[tuple[float, float, float], list[dict[str, Any]]] = {}
        for r in runs:
            if r["env"] == env_id:
                kinds.setdefault((r["recruit_below"], -r["connect"], r["prune_fraction"]), []).append(r)
        full = {r["seed"]: r["solved_at"] or STEPS[env_id] for r in kinds.get((0.0, -1.0, 0.0), [])}
        for (recruits, _, fraction), some in sorted(kinds.items()):
            steps = np.mean([r["solved_at"] or STEPS[env_id] for r in some])
            shared = [r["solved_at"] or STEPS[env_id] for r in some if r["seed"] in full]
            seeds = [r["seed"] for r in some if r["seed"] in full]
            ratio = f"{np.mean(shared) / np.mean([full[seed] for seed in seeds]):.2f}" if shared else "–"
            start = f"{some[0]['curve'][0][2]:.0%}"
            score, left = np.mean([r["score"] for r in some]), np.mean([r["share"] for r in some])
            lines.append(
                f"| {env_id} | {start} | {fraction:g} | {'yes' if recruits else 'no'} | {len(some)} | {steps:,.0f} | {ratio} "
                f"| {score:.1f} | {left:.0%} |"
            )
    return lines


def draw(runs: list[dict[str, Any]], path: Path) -> None:
    """Draw score and steps to solve over the share of connections left."""
    _, axes = plt.subplots(2, len(STEPS), figsize=(11, 5.5), sharex=True)
    for column, env_id in enumerate(STEPS):
        for connect, colour, label in ((1.0, "tab:grey", "all at first"), (0.1, "tab:blue", "10 % at first")):
            some = [r for r in runs if r["env"] == env_id and r["connect"] == connect and not r["recruit_below"]]
            left = [r["share"] for r in some]
            axes[0, column].scatter(left, [r["score"] for r in some], color=colour, label=label, s=18, alpha=0.7)
            solved = [r["solved_at"] or STEPS[env_id] for r in some]
            axes[1, column].scatter(left, solved, color=colour, s=18, alpha=0.7)
        axes[0, column].axhline(protocol.TASKS[env_id].threshold, color="k", lw=0.6, ls=":")
        axes[0, column].set_title(env_id)
        axes[1, column].set_xlabel("share of connections left")
    axes[0, 0].set_ylabel("score at the end")
    axes[1, 0].set_ylabel("steps to solve")
    axes[0, 0].legend(frameon=False)
    plt.tight_layout()
    plt.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--envs", nargs="+", choices=list(STEPS), default=list(STEPS))
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(20)), help="(default: 0 to 19)")
    parser.add_argument("--settings", type=int, default=len(SETTINGS), help="how many (default: all %(default)s)")
    parser.add_argument("--recruit-below", type=float, default=0.0, help="recruit too (default: never)")
    parser.add_argument("--every", type=int, default=100, help="steps between evaluations (default: %(default)s)")
    parser.add_argument("--episodes", type=int, default=20, help="per evaluation (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("results/sparsity"), help="folder (default: %(default)s)")
    parser.add_argument("--table-only", action="store_true", help="run nothing")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    kinds = [] if options.table_only else SETTINGS[: options.settings]
    for seed in options.seeds:
        for connect, fraction in kinds:
            for env_id in options.envs:
                name = f"{env_id}_{connect:g}_{fraction:g}_{options.recruit_below:g}_{seed}.json"
                if not (options.out / name).exists():
                    rule = replace(AgentConfig().rule, prune_fraction=fraction, recruit_below=options.recruit_below)
                    config = AgentConfig(connect=connect, rule=rule)
                    result = run(env_id, config, seed, options.every, options.episodes)
                    partial = options.out / (name + ".partial")
                    partial.write_text(json.dumps(result) + "\n")
                    os.replace(partial, options.out / name)
    runs = [json.loads(path.read_text()) for path in sorted(options.out.glob("*_*_*.json"))]
    lines = table(runs)
    (options.out / "table.md").write_text("\n".join(lines) + "\n")
    draw(runs, options.out / "curve.png")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
