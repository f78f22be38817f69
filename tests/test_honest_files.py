"""Whatever a network or an agent has lived through: its file is never refused, and its state is the same again."""

import contextlib
import io

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple

from dynlive_rl import DynLiveAgent, LearningRule
from dynlive_rl.agents import AgentConfig, CellConfig, LiveConfig, NetworkConfig, RehearsalConfig
from graphs import random_network
from helpers import assert_same_state
from networks import live

PLANE = Box(-1, 1, (2,))
RULES = [
    LearningRule(),
    LearningRule(step="adam", reserve=True),
    LearningRule(constraint="free"),
    LearningRule(kind="original"),
    LearningRule(growth="signal", growth_probability=1.0, learning_rate=0.3, prune_fraction=0.5, mature=0),
    LearningRule(growth="random", growth_probability=1.0, learning_rate=0.5, prune_floor=0.01),
    LearningRule(growth="signal", recruit_below=0.9, mature=0, learning_rate=0.1),
    LearningRule(aggregation="mean", share="uniform", step="adam", decays=(0.0, 0.0)),
]
SPACES = [
    (PLANE, Discrete(3)),
    (Dict(a=PLANE, b=Discrete(3)), Box(-1, 1, (2,))),
    (Tuple((MultiDiscrete([2, 3]), Discrete(2, start=4))), MultiDiscrete([2, 3])),
    (MultiBinary(12), MultiBinary(2)),
    (Box(0, 255, (3,), np.uint8), Box(0, 9, (1,), np.int64)),
]
SMALL = {
    "rehearsal": AgentConfig(rehearsal=RehearsalConfig(memory=200), network=NetworkConfig(hidden=16)),
    "live": LiveConfig(cells=CellConfig(cells=8, layers=2)),
}


def again(thing):
    """Save, load, compare; returns what was loaded."""
    file = io.BytesIO()
    thing.save(file)
    file.seek(0)
    loaded = type(thing).load(file)
    assert_same_state(thing.get_state(), loaded.get_state())
    loaded.set_state(thing.get_state())
    return loaded


def edit(net, rng, seed):
    """Do one thing to a network, if it allows it."""
    ids = [j for layer in net.layers for j in layer.ids]
    j, other = rng.choice(ids, 2).tolist()
    edits = [
        lambda: net.kill([j]),
        lambda: net.cut(rng.random(), seed),
        lambda: net.retire(2, mature=0),
        lambda: net.add_neuron(-1, [j, other]),
        lambda: net.remove_neuron(j),
        lambda: net.add_connection(j, other),
        lambda: net.remove_connection(j, int(net.sources(j)[0])),
        lambda: live(net, 5, seed),
    ]
    with contextlib.suppress(ValueError, IndexError):
        edits[rng.integers(len(edits))]()


@pytest.mark.parametrize("seed", range(24))
def test_files_of_networks_are_never_refused(seed):
    rng = np.random.default_rng(seed)
    net = random_network(seed, RULES[seed % len(RULES)], dtype=("float32", "float64")[seed % 2])
    for _ in range(8):
        edit(net, rng, seed)
        again(net)
    live(net, 30, seed)
    again(net)


@pytest.mark.parametrize("mode", ["rehearsal", "live"])
@pytest.mark.parametrize("number", range(len(SPACES)))
def test_files_of_agents_are_never_refused(number, mode):
    observations, actions = SPACES[number]
    rng = np.random.default_rng(number)
    observations.seed(number)
    scale = 10.0 ** rng.integers(-6, 7)
    config = SMALL[mode] if number % 2 == 0 else None
    agent = DynLiveAgent(observation_space=observations, action_space=actions, seed=number, mode=mode, config=config)
    observation = observations.sample()
    for t in range(600):
        agent.act(observation)
        observation = observations.sample()
        reward = float(rng.choice([0.0, 1.0, -1.0, rng.normal() * scale])) * (1 if t < 400 else -3)
        agent.observe(reward, observation, bool(rng.random() < 0.1), bool(rng.random() < 0.05))
        if t in (0, 1, 150, 300, 599):
            agent = again(agent)
        if t == 350 and mode == "rehearsal":
            agent.actor.kill([agent.actor.layers[1].ids[0]])
            agent.critic.cut(0.1, 0)
