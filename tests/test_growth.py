"""Growth and pruning: at bounded cost, weak connections go, and come back when they are needed again."""

from dataclasses import replace

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from numpy.testing import assert_allclose, assert_array_equal

from dynlive_rl import DynLiveAgent, LearningRule, Network
from dynlive_rl.agents.config import RULE, AgentConfig, NetworkConfig, RehearsalConfig
from networks import assert_sound, reader


def growing_reader(inputs, *, connect=1.0, **settings):
    """One output that reads the inputs directly, and grows where the signal asks for it."""
    rule = LearningRule(**{"step": "adam", "growth": "signal", "growth_probability": 1.0} | settings)
    return reader(inputs, rule=rule, connect=connect)


def study(net, source, rng, times=300):
    """Learn to repeat one input; returns the mean error of the last tenth."""
    errors = []
    for _ in range(times):
        x = rng.random((16, net.input_count))
        error = x[:, [source]] - net.predict(x)
        net.rehearse(x, error / 16)
        errors.append(float(np.abs(error).mean()))
    return float(np.mean(errors[-times // 10 :]))


@pytest.mark.parametrize("seed", range(3))
def test_what_was_pruned_comes_back_when_it_is_needed_and_only_growth_brings_it(seed):
    errors = {}
    for growth in ("signal", "none"):
        net = growing_reader(8, growth=growth, growth_probability=0.1, prune_fraction=0.3, learning_rate=0.01)
        rng = np.random.default_rng(seed)
        out = net.output_ids[0]
        for source in (0, 3, 6, 0):  # and back to what it knew first
            errors[growth, source] = study(net, source, rng)
            if source == 0:
                assert 0 in net.sources(out)
                assert growth == "signal" or net.sources(out).size < 8
    assert max(error for (growth, _), error in errors.items() if growth == "signal") < 0.03
    assert min(errors["none", 3], errors["none", 6]) > 0.1


def test_a_neuron_with_few_of_thousands_of_sources_looks_at_no_more_than_it_has():
    rng = np.random.default_rng(0)
    net = growing_reader(4000, connect=0.0005, learning_rate=1e-9)
    for _ in range(8):
        before = net.connections
        net.rehearse(rng.random((4, 4000)), rng.normal(size=(4, 1)))
        assert before <= net.connections <= 2 * before
    assert net.connections > 10
    assert_sound(net)


@pytest.mark.parametrize("fraction", [0.1, 0.6])
@pytest.mark.parametrize("step", ["sgd", "adam"])
def test_a_new_connection_is_faint_and_not_pruned_at_once(step, fraction):
    rng = np.random.default_rng(0)
    net = growing_reader(40, connect=0.25, learning_rate=1e-9, prune_fraction=fraction, step=step)
    old = net.sources(net.output_ids[0]).tolist()
    net.rehearse(rng.random((4, 40)), rng.normal(size=(4, 1)))
    out = net.output_ids[0]
    new = ~np.isin(net.sources(out), old)
    assert new.sum() > 0
    assert np.isin(old, net.sources(out)).all()
    floor = (
        fraction if step == "sgd" else 0.0
    )  # without moments nothing tells a strength that rises from one that falls
    assert (net.strengths(out)[new] < 1.1 * (floor + 0.001) / 40).all()


@pytest.mark.parametrize("wanted", [1.0, -1.0])
def test_weak_connections_stay_while_they_get_stronger(wanted):
    """Two outputs read the same faint input, which is what the one needs and what the other must not say."""
    net = growing_reader(5, learning_rate=1e-4, growth="none", prune_fraction=0.5, mature=0)
    out = net.output_ids[0]
    net.set_strength(out, 2, 0.01)
    rng = np.random.default_rng(0)
    for _ in range(20):
        x = rng.random((16, 5))
        net.rehearse(x, wanted * (x[:, [2]] - 0.5))
    assert (2 in net.sources(out)) == (wanted > 0)
    assert net.sources(out).size == 4 + (wanted > 0)


def test_hidden_neurons_that_nobody_reads_any_more_are_freed_where_weak_connections_are_pruned():
    x = np.random.default_rng(0).random((8, 3))
    for fraction, freed in ((0.0, False), (1e-9, True)):
        rule = LearningRule(step="adam", prune_fraction=fraction, mature=3)
        net = Network.layered(inputs=3, hidden=(6,), outputs=2, seed=0, rule=rule, dtype="float64")
        unread = net.layers[1].ids[0]
        for k in net.output_ids:
            net.remove_connection(k, unread)
        before = net.predict(x)
        for _ in range(2):
            net.rehearse(x, np.zeros((8, 2)))
            assert net.sources(unread).size  # the outputs are too young to judge
        net.rehearse(x, np.zeros((8, 2)))
        assert (net.sources(unread).size == 0) == freed
        assert_allclose(net.predict(x), before)


def test_the_young_neither_prune_what_is_weak_nor_are_pruned_for_it():
    rule = LearningRule(prune_fraction=2.5, mature=5, learning_rate=1e-5)
    net = Network.layered(inputs=4, hidden=(128,), outputs=2, seed=0, rule=rule, dtype="float64")
    rng = np.random.default_rng(0)
    for _ in range(4):
        net.rehearse(rng.random((16, 4)), rng.normal(size=(16, 2)) / 16)
        assert net.connections == net.allowed_connections
    net.rehearse(rng.random((16, 4)), rng.normal(size=(16, 2)) / 16)
    for k in net.output_ids:  # equal strengths are weak here, and half of them are to get weaker
        assert 20 < net.sources(k).size < 108


def test_outputs_that_start_equal_share_their_first_sources():
    net = Network.layered(inputs=5, hidden=(50,), outputs=3, seed=0, connect=0.1, dtype="float64")
    first, *others = net.output_ids
    assert net.sources(first).size == 5
    for other in others:
        assert_array_equal(net.sources(other), net.sources(first))
    y = net.propagate(np.random.default_rng(0).random(5))
    assert_allclose(y, y[0])  # so that no option is preferred at birth
    hidden = [tuple(net.sources(j)) for j in net.layers[1].ids]
    assert len(set(hidden)) > 10


def test_an_agent_starts_sparse_grows_and_stays_below_all():
    config = AgentConfig(network=NetworkConfig(connect=0.1, rule=replace(RULE, prune_fraction=0.3)))
    agent = DynLiveAgent("CartPole-v1", seed=0, config=config)
    start = agent.actor.connections
    assert start == 128 * 2 + 2 * 13
    agent.learn(600)
    for net in (agent.actor, agent.critic):
        assert start < net.connections < 0.9 * net.allowed_connections
        assert_sound(net)


@pytest.mark.parametrize("wrong", [0.0, 1.5])
def test_impossible_shares_are_refused(wrong):
    with pytest.raises(ValueError, match=rf"connect must be in \(0, 1\], not {wrong}"):
        NetworkConfig(connect=wrong)


@pytest.mark.parametrize("differ", [False, True])
def test_an_agent_prunes_nothing_for_weakness_before_there_is_something_to_carry(differ):
    network = NetworkConfig(prune_half_life=1.0, rule=replace(RULE, prune_fraction=100.0, mature=0))
    config = AgentConfig(network=network, rehearsal=RehearsalConfig(rehearse_every_blind=2))
    agent = DynLiveAgent(observation_space=Box(0, 1, (2,)), action_space=Discrete(2), seed=0, config=config)
    rng = np.random.default_rng(0)
    for step in range(1, 601):
        action = agent.act(rng.random(2))
        reward = float(action) if differ else float(step % 10 == 0)
        agent.observe(reward, rng.random(2), terminated=step % 10 == 0, truncated=False)
    kept = agent.connections / (agent.actor.allowed_connections + agent.critic.allowed_connections)
    assert kept < 0.5 if differ else kept > 0.9
