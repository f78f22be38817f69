"""The ablation: every variant is made, runs, and is none twice or the default."""

import numpy as np
import pytest

pytest.importorskip("scipy")
import ablate
import protocol
from dynlive_rl import DynLiveAgent
from dynlive_rl.agents import AgentConfig


@pytest.mark.parametrize("name", ablate.VARIANTS)
def test_every_variant_runs_by_the_protocol(name):
    entry = ablate.ENTRIES["CartPole-v1", name]
    course = protocol.Course("CartPole-v1", entry, 200, episodes=2)
    extra = entry.train("CartPole-v1", 0, course)
    assert course.over
    assert extra["connections"] > 0


def test_a_single_rail_stays_single():
    agent = DynLiveAgent("CartPole-v1", seed=0)
    ablate.without_complements(agent)
    agent.learn(400, progress_bar=False)
    for network in (agent.actor, agent.critic):
        complements = network.arrays.inputs[1]
        for neuron in network.sources(network.output_ids[0]):
            assert not np.isin(network.sources(neuron), complements).any()


def test_variants_are_not_the_default():
    configs = [variant.get("config") for variant in ablate.VARIANTS.values()]
    assert AgentConfig() not in configs
    assert all(config is None or configs.count(config) == 1 for config in configs)


def test_every_variant_is_called_something_and_has_a_line_in_the_table():
    assert set(ablate.WORDS) == set(ablate.VARIANTS)
    row = {
        "env": "CartPole-v1",
        "seeds": [0, 1],
        "steps_iqm": 900.0,
        "steps_iqm_interval": [800.0, 1_000.0],
        "final": 500.0,
    }
    rows = [{**row, "agent": "dynlive", "solved": 1.0}, {**row, "agent": "sparse", "solved": 0.5}]
    rows += [{**row, "env": "Acrobot-v1", "agent": "dynlive", "solved": 1.0}]
    assert ablate.variants(rows).splitlines() == [
        "| variant | CartPole-v1 (2 seeds) | Acrobot-v1 (2 seeds) |",
        "|---|---|---|",
        "| the default | 900 (800–1,000); 500 | 900 (800–1,000); 500 |",
        "| 10 % of connections at first, φ = 2.5 | 900 (800–1,000), 50% solved; 500 | – |",
    ]
