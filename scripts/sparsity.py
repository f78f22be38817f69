"""The sparsity-score curve: networks that start sparse, grow and are pruned, against those that start with all connections.

Every setting is a share of connections at first (`connect`) and a pruning fraction (`prune_fraction`) of the agent's
configuration; 1 and 0 are the default. What counts is the steps to solve (by the protocol; unsolved runs count as all steps),
the score (mean of the last fifth of the evaluations), and the share of the allowed connections of both networks that is left.
"""

import argparse
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import NamedTuple

import gymnasium as gym
import matplotlib as mpl
import numpy as np

import protocol
import runs
from dynlive_rl import DynLiveAgent
from dynlive_rl.agents import AgentConfig, NetworkConfig
from dynlive_rl.agents.evaluation import play
from runs import Run
from workers import hand_in, tell

mpl.use("Agg")
import matplotlib.pyplot as plt

ENVS = ("CartPole-v1", "Acrobot-v1", "MountainCar-v0")
STEPS = 20_000
EPISODES = 20
Setting = tuple[float, float]  # connect, prune_fraction
DEFAULT: Setting = (1.0, 0.0)
KEY = "env", "connect", "prune_fraction", "seed"


class Evaluation(NamedTuple):
    """One point of a curve: greedy mean return after so many steps, and the share of connections there is then."""

    steps: int
    mean: float
    share: float


def share(agent: DynLiveAgent) -> float:
    """Return the share of the allowed connections of both networks that there is."""
    networks = agent.actor, agent.critic
    return sum(net.connections for net in networks) / sum(net.allowed_connections for net in networks)


def train(env_id: str, setting: Setting, seed: int, steps: int = STEPS) -> Run:
    """Train one agent and return its run."""
    connect, fraction = setting
    rule = replace(NetworkConfig().rule, prune_fraction=fraction)
    config = AgentConfig(network=NetworkConfig(connect=connect, rule=rule))
    agent = DynLiveAgent(gym.make(env_id), seed=seed, config=config)
    arena = protocol.arena(env_id, EPISODES)
    start, curve = round(share(agent), 3), []
    for at in protocol.fine_grid(steps):
        agent.learn(at - agent.num_timesteps, reset_num_timesteps=False, progress_bar=False)
        mean = play(agent, arena, protocol.EVALUATION_SEED, deterministic=True).mean
        curve.append(Evaluation(at, round(mean, 1), round(share(agent), 3)))
        tell(at, steps, mean)
    arena.close()
    return {
        "env": env_id, "connect": connect, "prune_fraction": fraction, "seed": seed,
        "start": start, "budget": steps, "curve": protocol.columns(curve),
    }  # fmt: skip


def score(run: Run) -> float:
    means = run["curve"]["mean"]
    return float(np.mean(means[-max(1, len(means) // 5) :]))


def steps_to_solve(run: Run) -> float:
    return float(protocol.outcome(run).steps)


def left(run: Run) -> float:
    return float(run["curve"]["share"][-1])


def ratio(some: list[Run], full: dict[int, float]) -> str:
    """Return how many times the default's steps some runs took on the same seeds, with a 95 % bootstrap interval."""
    pairs = np.array([(steps_to_solve(run), full[run["seed"]]) for run in some if run["seed"] in full])
    if not len(pairs):
        return "–"
    drawn = pairs[np.random.default_rng(0).integers(len(pairs), size=(5_000, len(pairs)))].mean(1)
    low, high = np.percentile(drawn[:, 0] / drawn[:, 1], [2.5, 97.5])
    mean = pairs.mean(0)
    return f"{mean[0] / mean[1]:.2f} ({low:.2f}–{high:.2f})"


def table(done: list[Run]) -> str:
    """Return one row per environment and setting."""
    lines = ["| environment | connections at first | φ | seeds | steps to solve: median | mean | ÷ default (95 %) |"]
    lines[0] += " solved | score | connections left |"
    lines.append("|" + "---|" * 10)
    for env_id in ENVS:
        kinds: dict[Setting, list[Run]] = {}
        for run in done:
            if run["env"] == env_id:
                kinds.setdefault((run["connect"], run["prune_fraction"]), []).append(run)
        full = {run["seed"]: steps_to_solve(run) for run in kinds.get(DEFAULT, [])}
        for setting in sorted(kinds, key=lambda kind: (-kind[0], kind[1])):
            some = kinds[setting]
            steps = [steps_to_solve(run) for run in some]
            solved = np.mean([protocol.outcome(run).solved for run in some])
            lines.append(
                f"| {env_id} | {some[0]['start']:.0%} | {setting[1]:g} | {len(some)} | {np.median(steps):,.0f} "
                f"| {np.mean(steps):,.0f} | {'–' if setting == DEFAULT else ratio(some, full)} "
                f"| {solved:.0%} | {np.mean([*map(score, some)]):.1f} | {np.mean([*map(left, some)]):.0%} |"
            )
    return "\n".join(lines)


def draw(done: list[Run], path: Path) -> None:
    """Draw score and steps to solve over the share of connections left: every run, and the mean of every setting."""
    connects = sorted({run["connect"] for run in done}, reverse=True)
    envs = [env_id for env_id in ENVS if any(run["env"] == env_id for run in done)]
    size = (1 + 3.4 * len(envs), 6)
    figure, axes = plt.subplots(2, len(envs), figsize=size, sharex=True, squeeze=False, layout="constrained")
    for column, env_id in enumerate(envs):
        here = [run for run in done if run["env"] == env_id]
        for connect in sorted({run["connect"] for run in here}, reverse=True):
            colour, label = f"C{connects.index(connect)}", f"{connect:.0%} at first"
            some = [run for run in here if run["connect"] == connect]
            for row, value in enumerate((score, steps_to_solve)):
                axes[row, column].scatter(list(map(left, some)), list(map(value, some)), 12, colour, alpha=0.35)
                means = []
                for fraction in sorted({run["prune_fraction"] for run in some}):
                    alike = [run for run in some if run["prune_fraction"] == fraction]
                    means.append((np.mean(list(map(left, alike))), np.mean(list(map(value, alike))), fraction))
                    axes[row, column].annotate(
                        f"{fraction:g}", means[-1][:2], textcoords="offset points", xytext=(3, 4)
                    )
                axes[row, column].plot(*zip(*[m[:2] for m in means], strict=True), "o-", color=colour, label=label)
        axes[0, column].axhline(protocol.TASKS[env_id].threshold, color="k", lw=0.6, ls=":")
        axes[0, column].set_title(env_id)
        axes[1, column].set_xlabel("share of connections left")
    axes[0, 0].set_ylabel("score at the end")
    axes[1, 0].set_ylabel("steps to solve")
    axes[1, 0].set_xlim(0, 1.02)
    axes[1, 0].legend(frameon=False, title="means, with φ")
    figure.savefig(path.with_suffix(".png"), dpi=110)
    with mpl.rc_context({"svg.hashsalt": "dynlive"}):
        figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
    plt.close(figure)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--envs", nargs="+", choices=ENVS, default=list(ENVS), metavar="ENV", help=", ".join(ENVS))
    parser.add_argument("--connect", type=float, nargs="+", default=[1.0, 0.1], help="(default: 1 0.1)")
    parser.add_argument("--prune-fraction", type=float, nargs="+", default=[0.0, 2.5], help="(default: 0 2.5)")
    runs.add_options(parser, out="results/sparsity", seeds="0-19")
    options = parser.parse_args()
    keys = [
        (env_id, connect, fraction, seed)
        for seed in options.seeds
        for env_id, connect, fraction in product(options.envs, options.connect, options.prune_fraction)
    ]
    if options.one:
        [(env_id, connect, fraction, seed)] = keys
        hand_in(train(env_id, (connect, fraction), seed))
        return 0
    commands: dict[runs.Key, list[str]] = {}
    for env_id, connect, fraction, seed in keys:
        setting = ["--envs", env_id, "--connect", str(connect), "--prune-fraction", str(fraction)]
        command = [__file__, "--one", *setting, "--seeds", str(seed)]
        commands[env_id, connect, fraction, seed] = command
    return runs.tabulate(KEY, commands, options, table, lambda done: draw(done, options.out / "curve"))


if __name__ == "__main__":
    sys.exit(main())
