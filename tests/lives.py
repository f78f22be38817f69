"""Short lives of small agents and networks, the same ones in every process.

`python tests/lives.py FILE` writes what became of them.
"""

import sys

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete
from numba import config

from dynlive_rl import DynLiveAgent, LearningRule, Network
from dynlive_rl.agents import AgentConfig, CellConfig, LiveConfig, NetworkConfig, RehearsalConfig

PLANE = Box(-1, 1, (2,))
REHEARSAL = RehearsalConfig(
    memory=48, first_rehearsal=16, segments=3, segment_length=6, batch=8, rehearse_every_blind=4
)
GROWING = LearningRule(growth="signal", growth_probability=0.5, recruit_below=0.9, mature=0, prune_fraction=0.1)


def rehearsing(rule=None):
    network = NetworkConfig(hidden=6) if rule is None else NetworkConfig(hidden=6, connect=0.5, rule=rule)
    return AgentConfig(rehearsal=REHEARSAL, network=network)


LIVES = {
    "plane": (PLANE, Discrete(3), rehearsing()),
    "growing": (PLANE, MultiDiscrete([2, 3]), rehearsing(GROWING)),
    "adam": (PLANE, Box(-1, 1, (2,)), rehearsing(LearningRule(step="adam", reserve=True))),
    "one-hot": (MultiDiscrete([2, 3]), Discrete(2), AgentConfig(rehearsal=REHEARSAL)),
    "mixed": (Dict(a=PLANE, b=Discrete(3)), MultiBinary(2), rehearsing()),
    "live": (PLANE, Discrete(3), LiveConfig(cells=CellConfig(cells=8, layers=2))),
    "live, mixed": (Dict(a=PLANE, b=Discrete(3)), Box(-1, 1, (2,)), LiveConfig(cells=CellConfig(cells=6, layers=1))),
}
LESSONS = {
    "numbers": (2, "mse", LearningRule(growth="random", growth_probability=0.5)),
    "one of two": (1, "cross-entropy", LearningRule(step="adam")),
    "one of three": (3, "cross-entropy", LearningRule(aggregation="mean")),
    "whole": (2, "mse", LearningRule(growth="random", growth_probability=1.0, prune_fraction=0.1)),
    "original": (2, "mse", LearningRule(kind="original", growth_probability=0.5)),
}


def life(observations, actions, settings, steps):
    """Live in a world in which nothing depends on what one does, which changes in the middle; returns the agent's state."""
    rng = np.random.default_rng(0)
    observations.seed(0)
    mode = "live" if isinstance(settings, LiveConfig) else "rehearsal"
    agent = DynLiveAgent(observation_space=observations, action_space=actions, mode=mode, config=settings, seed=0)
    observation, chosen = observations.sample(), []
    for t in range(1, steps + 1):
        chosen.append(np.ravel(agent.act(observation)))
        following = observations.sample()
        reward = rng.normal() + (1.0 if t < steps // 2 else -5.0)
        agent.observe(reward, following, t % 7 == 0, t % 11 == 0)
        observation = following if t % 7 and t % 11 else observations.sample()
    chosen += [np.ravel(agent.predict(observations.sample(), deterministic=k % 2 == 0)[0]) for k in range(8)]
    return agent.get_state() | {"chosen": np.array(chosen)}


def lesson(outputs, loss, rule):
    """Learn from examples, and from rewards; returns the network's state."""
    rng = np.random.default_rng(0)
    net = Network.layered(inputs=3, hidden=(4,), outputs=outputs, seed=0, connect=0.6, rule=rule)
    wanted = rng.integers(0, max(outputs, 2), 24) if loss == "cross-entropy" else rng.random((24, outputs))
    if rule.kind != "original":
        net.fit(rng.random((24, 3)), wanted, epochs=2, batch_size=8, loss=loss, seed=0, progress_bar=False)
    for _ in range(6):
        net.propagate(rng.random(3))
        net.reinforce(-rng.random(outputs))
    return net.get_state()


def lives(steps=32):
    """Return by name what became of every agent and network."""
    if config.DISABLE_JIT:
        np.seterr(all="ignore")
    became = {name: life(*of, steps) for name, of in LIVES.items()}
    became |= {name: lesson(*of) for name, of in LESSONS.items()}
    return {f"{name}: {part}": array for name, state in became.items() for part, array in state.items()}


if __name__ == "__main__":
    np.savez(sys.argv[1], **lives())
