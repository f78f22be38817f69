"""Hurt and heal: kill nine of ten hidden neurons of both networks, and let the agent learn on."""

import numpy as np

from dynlive_rl import DynLiveAgent

agent = DynLiveAgent("CartPole-v1", seed=0).learn(3_000)
random = np.random.default_rng(0)


def tell(when):
    """Print, and return, what the agent is worth."""
    mean = agent.evaluate(episodes=20, seed=1).mean
    print(f"{when}: mean return {mean:.0f}, {agent.connections:,} connections")
    return mean


healthy = tell("healthy")
for network in (agent.actor, agent.critic):
    hidden = [neuron for layer in network.layers if layer.kind == "hidden" for neuron in layer.ids]
    network.kill(random.choice(hidden, size=9 * len(hidden) // 10, replace=False))
hurt = tell("hurt")
agent.learn(2_000)
healed = tell("2,000 steps later")
