"""What each trait of the design is worth: our agent with one of them off or changed, by the protocol of compare.py.

The same command line, run files, table and figures as compare.py; the "agents" are our own one and its variants.
"""

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import compare
from dynlive_rl import DynLiveAgent, LearningRule
from dynlive_rl.agents import AgentConfig
from protocol import TASKS, Entry, fine_grid

ENVS = ("CartPole-v1", "Acrobot-v1", "MountainCar-v0")


def without_complements(agent: DynLiveAgent) -> None:
    """Kill the inputs that tell 1 - x: every input comes once."""
    for network in (agent.actor, agent.critic):
        network.kill(network.arrays.inputs[1].tolist())


def with_rule(connect: float = 1.0, **traits: Any) -> AgentConfig:
    """Return the default configuration with another learning rule, and perhaps fewer connections at first."""
    return AgentConfig(connect=connect, rule=replace(AgentConfig().rule, **traits))


# Keyword arguments of `compare.train_dynlive`. "dynlive" is the default, which the table compares the others with.
VARIANTS: dict[str, dict[str, Any]] = {
    "dynlive": {},
    "free-strengths": {
        # Weights of a classical network, whose gains must not be what a mixture needs.
        "config": AgentConfig(
            rule=LearningRule(step="adam", constraint="free", growth="none"), gain_low=3.0, gain_high=6.0
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
    "newest-only": {"config": AgentConfig(memory=512)},  # as much as one rehearsal looks at
    "rule-original": {"config": AgentConfig(rule=LearningRule(kind="original"))},
}
ENTRIES = {
    (env_id, name): Entry(partial(compare.train_dynlive, **variant), TASKS[env_id].budget, fine_grid)
    for env_id in ENVS
    for name, variant in VARIANTS.items()
}

if __name__ == "__main__":
    sys.exit(compare.main(ENTRIES, __file__, __doc__, envs=ENVS, agents=list(VARIANTS), out=Path("results/ablation")))
