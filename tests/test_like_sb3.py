"""What users of stable-baselines3 expect of an agent: its environment and seed to be set, and sentences for what it has not."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import SyncVectorEnv
from numpy.testing import assert_array_equal

from dynlive_rl import DynLiveAgent
from helpers import assert_same_state, cart, own
from networks import refused

MODES = ("rehearsal", "live")


def several(count):
    return SyncVectorEnv([lambda: gym.make("CartPole-v1")] * count)


@pytest.mark.parametrize("mode", MODES)
def test_it_goes_on_in_another_environment(mode):
    agent = cart(mode=mode).learn(300)
    assert agent.get_env() is agent.env
    some = np.random.default_rng(0).normal(size=(50, 4))
    before, episodes = agent.predict(some, deterministic=True)[0], agent.episodes
    for env in (gym.make("CartPole-v1"), several(4), several(1), several(16), gym.make("CartPole-v1")):
        agent.set_env(env)
        assert agent.get_env() is env
        assert_array_equal(agent.predict(some, deterministic=True)[0], before)
        assert (agent.num_timesteps, agent.episodes) == (300, episodes)
    agent.set_env(several(4))
    agent.learn(200, reset_num_timesteps=False)
    assert agent.num_timesteps >= 500
    agent.set_env("CartPole-v1")
    agent.learn(100)
    with pytest.raises(ValueError, match=r"^this agent was trained with Box.*, but the environment has Box"):
        agent.set_env("Acrobot-v1")


def test_an_agent_without_an_environment_is_given_one():
    agent = own()
    assert agent.get_env() is None
    env = gym.wrappers.TransformAction(gym.make("CartPole-v1"), lambda action: action, agent.action_space)
    env = gym.wrappers.TransformObservation(env, lambda o: np.clip(o[:2], -1, 1), agent.observation_space)
    env = gym.wrappers.TransformAction(env, lambda action: action % 2, agent.action_space)
    agent.set_env(env)
    assert agent.learn(30).num_timesteps == 30


def test_nothing_is_set_while_it_learns():
    agent = cart()
    said = "this agent is learning: let that call of learn return first"

    def meddle(report):
        refused(said, report.agent.set_env, "CartPole-v1", error=RuntimeError)
        refused(said, report.agent.set_random_seed, 1, error=RuntimeError)
        return False

    assert agent.learn(10, callback=meddle).num_timesteps == 1


def test_the_seed_that_was_drawn_repeats_the_run():
    first = DynLiveAgent("CartPole-v1").learn(300)
    assert first.seed != DynLiveAgent("CartPole-v1").seed
    assert_same_state(first.get_state(), DynLiveAgent("CartPole-v1", seed=first.seed).learn(300).get_state())


@pytest.mark.parametrize("mode", MODES)
def test_a_seed_set_later_makes_the_rest_repeatable(mode):
    one, other = (cart(mode=mode).learn(200) for _ in range(2))
    other.learn(0)
    other.predict(np.zeros(4))
    one.set_random_seed(7)
    other.set_random_seed(7)
    assert one.seed == 7
    assert_same_state(one.learn(200).get_state(), other.learn(200).get_state())
    one.set_random_seed()
    assert one.seed != 7


def test_sentences_for_what_it_has_not():
    text = {
        (
            "MlpPolicy",
            "CartPole-v1",
        ): "there is no 'MlpPolicy', as the policy is always a dynamic-live network: leave it out,"
        " and begin with the environment: DynLiveAgent('CartPole-v1', …)",
        ("CartPole-v1", 3): "only env is given without its name, but there is 3 too: write its name",
    }
    for arguments, said in text.items():
        refused(said, DynLiveAgent, *arguments, error=TypeError)
    named = {
        "policy_kwargs": "DynLiveAgent has no 'policy_kwargs': write config=AgentConfig(network=NetworkConfig(hidden=…)) for"
        " another network",
        "device": "DynLiveAgent has no 'device': it runs on the processor: leave it out",
        "sede": "DynLiveAgent has no 'sede': did you mean 'seed'?",
    }
    for name, said in named.items():
        refused(said, DynLiveAgent, "CartPole-v1", error=TypeError, **{name: 0})
    with pytest.raises(
        TypeError, match=r"^DynLiveAgent has no 'learning_rate': write config=AgentConfig\(optimisation="
    ):
        DynLiveAgent("CartPole-v1", learning_rate=3e-4)
    with pytest.raises(TypeError, match=r"^DynLiveAgent has no 'zzz': it takes env, mode, seed, config"):
        DynLiveAgent("CartPole-v1", zzz=1)


def test_every_hint_names_what_there_is():
    from dataclasses import fields

    from dynlive_rl.agents import config, foreign

    groups = {field.type.__name__: field for field in fields(config.AgentConfig)}
    for hint in foreign.INSTEAD.values():
        for name in groups:
            if name + "(" in hint:
                inside = hint.split(name + "(")[1].split(")")[0]
                known = {field.name for field in fields(groups[name].type)}
                assert {part.split("=")[0].strip() for part in inside.split(",")} <= known
                assert f"{groups[name].name}={name}(" in hint
