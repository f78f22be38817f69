"""Damage, retirement and the budget: the dead stay dead, the others learn on, and nobody grows beyond what is allowed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from dynlive_rl import DynLiveAgent, LearningRule, Network
from graphs import OWN
from networks import assert_sound, living


@pytest.mark.parametrize("growth", ["signal", "random"])
@pytest.mark.parametrize("activation", ["sigmoid", "relu", *OWN])
def test_the_dead_stay_dead(activation, growth):
    rule = LearningRule(growth=growth, growth_probability=1.0, learning_rate=0.05)
    net = Network.layered(inputs=2, hidden=(4,), outputs=2, activation=activation, seed=0, rule=rule)
    dead = [net.layers[0].ids[1], net.layers[1].ids[0], net.layers[1].ids[3]]
    net.kill(dead)
    rng = np.random.default_rng(0)
    for _ in range(20):
        net.propagate(rng.random(2))
        net.reinforce(rng.normal(size=2))
        net.rehearse(rng.random((4, 2)), rng.normal(size=(4, 2)))
        assert_array_equal(net.activity[dead[1:]], 0)
    assert not np.isin(dead, np.concatenate([net.sources(j) for j in living(net, "hidden", "output")])).any()
    assert all(net.sources(j).size == 0 for j in dead)
    assert_sound(net)


def test_an_agent_survives_damage_and_learns_on():
    agent = DynLiveAgent("CartPole-v1", seed=0).learn(400)
    for net in (agent.actor, agent.critic):
        net.kill(net.layers[1].ids[:40])
        assert net.cut(0.1, seed=0) > 0
        assert_sound(net)
    untouched = agent.actor.arrays.connection.copy()
    agent.learn(300)
    assert (agent.actor.arrays.connection != untouched).any()
    for net in (agent.actor, agent.critic):
        assert_sound(net)
        assert all(net.sources(j).size == 0 for j in net.layers[1].ids[:40])
        assert not np.isin(net.layers[1].ids[:40], net.sources(net.output_ids[0])).any()
        assert np.isfinite(net.arrays.connection).all()
    with pytest.raises(ValueError, match="an agent's network keeps its neurons and allowed connections: edit a copy"):
        agent.actor.add_neuron(1, [0])


@pytest.mark.parametrize("fraction", [0.0, 0.3, 1.0])
def test_a_cut_takes_a_fraction_and_leaves_everyone_one(fraction):
    net = Network.layered(inputs=10, hidden=(20,), outputs=3, seed=0)
    before = net.connections
    lost = net.cut(fraction, seed=1)
    assert net.connections == before - lost
    assert lost == (round(fraction * before) if fraction < 1 else before - 23)
    assert all(net.sources(j).size >= 1 for j in living(net, "hidden", "output"))
    assert_sound(net)
    other = Network.layered(inputs=10, hidden=(20,), outputs=3, seed=0)
    other.cut(fraction, seed=1)
    assert_array_equal(net.arrays.strength, other.arrays.strength)


def test_the_least_heard_of_the_mature_retire():
    net = Network.layered(inputs=3, hidden=(6,), outputs=2, seed=1)
    heard = {j: sum(net.strengths(k)[net.sources(k) == j].sum() for k in net.output_ids) for j in net.layers[1].ids}
    for out in net.output_ids:
        net.set_strength(out, 8, 0.01)
        net.set_strength(out, 10, 0.02)
    assert net.retire(2) == []
    assert net.retire(2, mature=0) == [8, 10]
    assert net.retire(1, mature=0) not in ([8], [10])
    assert net.connections == sum(net.sources(j).size for j in living(net, "hidden", "output"))
    assert len(heard) == 6


# -- the budget ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("growth", ["signal", "random"])
@given(seed=st.integers(0, 10**6), room=st.integers(0, 12))
def test_growth_keeps_to_the_budget(growth, seed, room):
    rng = np.random.default_rng(seed)
    start = Network.layered(inputs=5, hidden=(6,), outputs=2, seed=seed, connect=0.3).connections
    settings = {"growth": growth, "growth_probability": 1.0, "learning_rate": 1e-6, "max_connections": start + room}
    net = Network.layered(inputs=5, hidden=(6,), outputs=2, seed=seed, connect=0.3, rule=LearningRule(**settings))
    for _ in range(5):
        net.propagate(rng.random(5))
        net.reinforce(-np.ones(2))
        net.rehearse(rng.random((4, 5)), rng.normal(size=(4, 2)))
        assert net.connections <= start + room
    assert net.connections == start + room
    with pytest.raises(
        ValueError, match=f"max_connections is {start + room}, and there are {start + room} connections"
    ):
        net.add_neuron(1, [0])
    net.rule = LearningRule(**settings | {"max_connections": None})
    net.rehearse(rng.random((4, 5)), rng.normal(size=(4, 2)))
    net.reinforce(-np.ones(2))
    assert net.connections > start + room
