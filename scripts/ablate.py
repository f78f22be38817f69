"""What each trait of the design is worth: our agent with one of them off or changed, by the protocol of compare.py.

The same command line, runs, table and figures as compare.py; the "agents" are our own one and its variants, which a second
table compares (variants.md). Here are those that change the network; `ablate_rules.py` has the others.
"""

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import compare
from dynlive_rl import DynLiveAgent, LearningRule
from dynlive_rl.agents import (
    AgentConfig,
    ExplorationConfig,
    NetworkConfig,
    OptimisationConfig,
    RehearsalConfig,
    WorldChangeConfig,
)
from protocol import TASKS, Entry, fine_grid
from runs import Run

ENVS = ("CartPole-v1", "Acrobot-v1", "MountainCar-v0", "Pendulum-v1", "MountainCarContinuous-v0")
NEVER = 1e9


def without_complements(agent: DynLiveAgent) -> None:
    """Kill the inputs that tell 1 - x: every input comes once."""
    for network in (agent.actor, agent.critic):
        network.kill(network.arrays.inputs[1].tolist())


def with_rule(connect: float = 1.0, **traits: Any) -> AgentConfig:
    """Return the default configuration with another learning rule, and perhaps fewer connections at first."""
    return AgentConfig(network=NetworkConfig(connect=connect, rule=replace(NetworkConfig().rule, **traits)))


# Keyword arguments of `compare.train_dynlive`. "dynlive" is the default, which the table compares the others with.
TRAITS: dict[str, dict[str, Any]] = {
    "dynlive": {},
    "free-strengths": {
        # Weights of a classical network, whose gains must not be what a mixture needs.
        "config": AgentConfig(
            network=NetworkConfig(
                rule=LearningRule(step="adam", constraint="free", growth="none"), gain_low=3.0, gain_high=6.0
            )
        )
    },
    "growth-none": {"config": with_rule(growth="none")},
    "growth-random": {"config": with_rule(growth="random")},
    "pruned": {"config": with_rule(prune_fraction=2.5)},
    "hardly-pruned": {"config": with_rule(growth_probability=1.0)},  # what falls to 0 may return at once
    "sparse": {"config": with_rule(connect=0.1, prune_fraction=2.5)},
    "sparse-recruits": {"config": with_rule(connect=0.1, prune_fraction=2.5, recruit_below=0.7)},
    "single-rail": {"prepare": without_complements},
    "share-uniform": {"config": with_rule(share="uniform")},
    "reserve": {"config": with_rule(reserve=True)},
    "newest-only": {"config": AgentConfig(rehearsal=RehearsalConfig(memory=512))},  # as much as one rehearsal looks at
    "rule-original": {"config": AgentConfig(network=NetworkConfig(rule=LearningRule(kind="original")))},
}
# The rules by which the agent notices what is going on: progress, trouble, another task.
RULES: dict[str, dict[str, Any]] = {
    "blind-no-rarer": {"config": AgentConfig(rehearsal=RehearsalConfig(rehearse_every_blind=2))},
    "content-no-rarer": {"config": AgentConfig(rehearsal=RehearsalConfig(content_interval=1))},
    "content-no-slower": {"config": AgentConfig(optimisation=OptimisationConfig(content_rate=1.0))},
    "no-boost": {"config": AgentConfig(optimisation=OptimisationConfig(boost=1.0))},
    "no-warm-up": {"config": AgentConfig(optimisation=OptimisationConfig(warm_up=1))},
    "no-value-range": {"config": AgentConfig(optimisation=OptimisationConfig(target_range=1e-9))},
    "no-repeats": {"config": AgentConfig(exploration=ExplorationConfig(max_mean_repeat=1.0))},
    "always-informative": {"config": AgentConfig(exploration=ExplorationConfig(informative_variance=0.0))},
    "no-stuck": {"config": AgentConfig(exploration=ExplorationConfig(stuck_share=0.0))},
    "no-change-of-task": {"config": AgentConfig(world_change=WorldChangeConfig(collapse=NEVER, setback=NEVER))},
    "rates-no-fading": {"config": AgentConfig(optimisation=OptimisationConfig(rate_half_life=NEVER))},
    "interval-no-longer": {"config": AgentConfig(rehearsal=RehearsalConfig(rehearsal_half_life=NEVER))},
    "entropy-no-fading": {"config": AgentConfig(exploration=ExplorationConfig(entropy_half_life=NEVER))},
}
VARIANTS = TRAITS | RULES
ENTRIES = {
    (env_id, name): Entry(partial(compare.train_dynlive, **variant), TASKS[env_id].budget, fine_grid)
    for env_id in ENVS
    for name, variant in VARIANTS.items()
}

# What the variants are called in a table.
WORDS = {
    "dynlive": "the default",
    "free-strengths": "free strengths: weights of any sign, no normalising",
    "growth-none": "no growth",
    "growth-random": "growth at random",
    "pruned": "weak connections pruned (φ = 2.5)",
    "hardly-pruned": "a strength of 0 may return at once",
    "sparse": "10 % of connections at first, φ = 2.5",
    "sparse-recruits": "… and recruiting",
    "single-rail": "no complements",
    "share-uniform": "reward shared alike, not by contribution",
    "reserve": "strengths with a reserve",
    "newest-only": "memory of the 512 newest steps",
    "rule-original": "the original rule as written, in this agent",
    "blind-no-rarer": "rehearsals as often while all returns are equal",
    "content-no-rarer": "rehearsals as often while content",
    "content-no-slower": "rates as high while content",
    "no-boost": "rates no higher while the gain is lost",
    "no-warm-up": "rates at once what they are",
    "no-value-range": "value gain from the targets' deviation alone",
    "no-repeats": "no action repeated while searching",
    "always-informative": "searching only until two rewards differ",
    "no-stuck": "no uniform choices while stuck",
    "no-change-of-task": "no task ever changes",
    "rates-no-fading": "rates do not fade",
    "interval-no-longer": "rehearsals become no rarer",
    "entropy-no-fading": "entropy does not fade",
}


def variants(rows: list[dict[str, Any]]) -> str:
    """Return a Markdown table with a line per variant: interquartile mean of the steps to solve and its interval, final."""
    envs = list(dict.fromkeys(row["env"] for row in rows))
    cells = {(row["env"], row["agent"]): row for row in rows}
    seeds = {env_id: max(len(row["seeds"]) for row in rows if row["env"] == env_id) for env_id in envs}
    lines = ["| variant | " + " | ".join(f"{env_id} ({seeds[env_id]} seeds)" for env_id in envs) + " |"]
    lines.append("|---" * (len(envs) + 1) + "|")
    for name in dict.fromkeys(row["agent"] for row in rows):
        lines.append(f"| {WORDS.get(name, name)} | " + " | ".join(_cell(cells.get((env, name))) for env in envs) + " |")
    return "\n".join(lines)


def _cell(row: dict[str, Any] | None) -> str:
    if row is None:
        return "–"
    low, high = row["steps_iqm_interval"]
    unsolved = "" if row["solved"] == 1 else f", {row['solved']:.0%} solved"
    return f"{row['steps_iqm']:,.0f} ({low:,.0f}–{high:,.0f}){unsolved}; {row['final']:.0f}"


def report(done: list[Run], folder: Path) -> str:
    """Write what the runs add up to, and the table of the variants; return that."""
    import figures  # loads what a run can do without

    figures.write(done, folder)
    text = variants(figures.summary(done))
    (folder / "variants.md").write_text(text + "\n")
    return text


if __name__ == "__main__":
    out = Path("results/ablation")
    sys.exit(compare.main(ENTRIES, __file__, __doc__, report, envs=ENVS, agents=list(TRAITS), out=out))
