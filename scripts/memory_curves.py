"""Recurrent agents where a memory is needed, and what each part of them brings: greedy returns on the way.

A run has got there at the first evaluation that reaches the task's mark: 475 of 500, nearly all cues right, or halfway from the
best constant policy to the best possible return. The table is of the complete agent, `ablation.md` of agents that lack a part.
"""

import argparse
import sys
from dataclasses import replace
from typing import NamedTuple

import gymnasium as gym
import numpy as np
from scipy import stats

import dynlive_rl.envs  # noqa: F401  (registers them)
import runs
from dynlive_rl import DynLiveAgent
from dynlive_rl.agents import RECURRENT, AgentConfig
from runs import Run
from workers import hand_in, tell

KEY = "task", "variant", "seed"
EPISODES, EVALUATION_SEED = 20, 7
COMPLETE = "complete"


class Task(NamedTuple):
    """An environment, its settings, steps between evaluations, steps in all, and the return that is its mark."""

    name: str
    settings: dict[str, int]
    every: int
    steps: int
    threshold: float


TASKS = {
    "MaskedCartPole": Task("MaskedCartPole", {}, 500, 10_000, 475.0),
    "DelayedCue 5": Task("DelayedCue", {"delay": 5}, 200, 2_000, 0.95),
    "DelayedCue 50": Task("DelayedCue", {"delay": 50}, 500, 8_000, 0.95),
    "DelayedCue 500": Task("DelayedCue", {"delay": 500}, 2_000, 20_000, 0.95),
    "MemoryXor": Task("MemoryXor", {}, 500, 4_000, 0.95),
    "TMaze": Task("TMaze", {}, 1_000, 12_000, 3.8),
    "DelayedReward 5": Task("DelayedReward", {"delay": 5}, 200, 4_000, 45.0),
    "DelayedReward 50": Task("DelayedReward", {"delay": 50}, 500, 10_000, 112.0),
    "DelayedReward 500": Task("DelayedReward", {"delay": 500}, 1_000, 20_000, 788.0),
}
OPTIMISATION, REHEARSAL = RECURRENT.optimisation, AgentConfig().rehearsal
VARIANTS: dict[str, AgentConfig] = {
    COMPLETE: RECURRENT,
    "the step before only": replace(RECURRENT, recurrence=replace(RECURRENT.recurrence, time_constants=(1.0,))),
    "no slow neurons": replace(RECURRENT, recurrence=AgentConfig().recurrence),
    "rewards at once": replace(RECURRENT, optimisation=replace(OPTIMISATION, reward_delays=1)),
    "clocks from the start": replace(RECURRENT, optimisation=replace(OPTIMISATION, rise_significance=0.0)),
    "advantages cut as usual": replace(
        RECURRENT, optimisation=replace(OPTIMISATION, early_advantage_clip=OPTIMISATION.advantage_clip)
    ),
    "rehearsals as usual": replace(RECURRENT, rehearsal=REHEARSAL),
}


def train(name: str, variant: str, seed: int) -> Run:
    """Train one agent and return its run."""
    task = TASKS[name]
    env = gym.make(f"DynLive/{task.name}-v0", **task.settings)
    agent = DynLiveAgent(env, seed=seed, config=VARIANTS[variant])
    steps, means = list(range(task.every, task.steps + 1, task.every)), []
    for _ in steps:
        agent.learn(task.every, progress_bar=False, reset_num_timesteps=False)
        means.append(round(agent.evaluate(EPISODES, seed=EVALUATION_SEED).mean, 2))
        tell(agent.num_timesteps, task.steps, means[-1])
    return {"task": name, "variant": variant, "seed": seed, "curve": {"steps": steps, "mean": means}}


def reached(run: Run) -> tuple[float, float]:
    """Return the steps of the first evaluation at the mark, infinity for never, and the share at it from then on."""
    there = np.array(run["curve"]["mean"]) >= TASKS[run["task"]].threshold
    if not there.any():
        return float("inf"), float("nan")
    first = int(there.argmax())
    return float(run["curve"]["steps"][first]), float(there[first:].mean())


def steps_in_the_middle(some: list[Run]) -> str:
    """Return the median of the steps to the mark, as text."""
    middle = float(np.median([reached(run)[0] for run in some]))
    return f"{middle:,.0f}" if np.isfinite(middle) else f">{TASKS[some[0]['task']].steps:,}"


def interval(finals: list[float]) -> str:
    """Return the 95 % interval of the mean (Student, 1908)."""
    error = stats.sem(finals) * stats.t.ppf(0.975, len(finals) - 1) if len(finals) > 1 else float("nan")
    return f"{np.mean(finals) - error:.4g} – {np.mean(finals) + error:.4g}"


def table(done: list[Run]) -> str:
    """Return a row per task of the complete agent."""
    lines = [
        "| task | mark | seeds | steps to the mark: median (range) | never | within | at the mark from then on"
        " | final: median | 95 % of the mean |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, task in TASKS.items():
        some = [run for run in done if (run["task"], run["variant"]) == (name, COMPLETE)]
        if not some:
            continue
        firsts, shares = zip(*map(reached, some), strict=True)
        found = [first for first in firsts if np.isfinite(first)]
        span = f"{min(found):,.0f} – {max(found):,.0f}" if found else "–"
        finals = [run["curve"]["mean"][-1] for run in some]
        share = f"{np.nanmean(shares):.0%}" if found else "–"
        lines.append(
            f"| {name} | {task.threshold:g} | {len(some)} | {steps_in_the_middle(some)} ({span}) | {len(some) - len(found)}"
            f" | {task.steps:,} | {share} | {np.median(finals):.4g} | {interval(finals)} |"
        )
    return "\n".join(lines)


def ablation(done: list[Run]) -> str:
    """Return a row per task: agents that lack a part beside the complete one, on the seeds that all have played."""
    there = [variant for variant in VARIANTS if any(run["variant"] == variant for run in done)]
    lines = [f"| task | {' | '.join(there)} |", "|---" * (len(there) + 1) + "|"]
    for name in TASKS:
        runs_of = {v: [run for run in done if (run["task"], run["variant"]) == (name, v)] for v in there}
        seeds = set.intersection(*({run["seed"] for run in some} for some in runs_of.values()))
        if not seeds:
            continue
        cells = []
        for some in runs_of.values():
            both = [run for run in some if run["seed"] in seeds]
            never = sum(not np.isfinite(reached(run)[0]) for run in both)
            final = np.median([run["curve"]["mean"][-1] for run in both])
            cells.append(f"{steps_in_the_middle(both)}, {never} of {len(both)}, {final:.4g}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS), metavar="TASK", help=", ".join(TASKS))
    parser.add_argument(
        "--variants", nargs="+", choices=VARIANTS, default=[COMPLETE], metavar="VARIANT", help=", ".join(VARIANTS)
    )
    runs.add_options(parser, out="results/memory/curves", seeds="3000-3019")
    options = parser.parse_args()
    keys = [(name, variant, seed) for name in options.tasks for variant in options.variants for seed in options.seeds]
    if options.one:
        hand_in(train(*keys[0]))
        return 0
    commands: dict[runs.Key, list[str]] = {
        (name, variant, seed): [__file__, "--one", "--tasks", name, "--variants", variant, "--seeds", str(seed)]
        for name, variant, seed in keys
    }

    def write_ablation(done: list[Run]) -> None:
        (options.out / "ablation.md").write_text(ablation(done) + "\n")

    return runs.tabulate(KEY, commands, options, table, write_ablation)


if __name__ == "__main__":
    sys.exit(main())
