"""Agents in files: a loaded one goes on as the saved one would have, and what a file says of its environment."""

import json
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from dynlive_rl import CheckpointError, DynLiveAgent, LearningRule, Network, checkpoint
from dynlive_rl.agents import AgentConfig, CellConfig, LiveConfig, NetworkConfig
from dynlive_rl.agents.files import TREND, from_format_5, from_format_7
from helpers import assert_same_state, cart, feed, own
from networks import refused
from worlds import Corridor

MODES = ("rehearsal", "live")


# -- saved and gone on with ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("steps", [0, 255, 17 * 20, 1100])  # nothing, mid-episode, at an episode's end, a grown memory
def test_a_loaded_agent_goes_on_like_the_saved_one(tmp_path, steps, mode):
    saved = own(mode=mode)
    feed(saved, steps, seed=1)
    saved.save(tmp_path / "agent")
    loaded = DynLiveAgent.load(tmp_path / "agent")
    assert_same_state(saved.get_state(), loaded.get_state())
    assert (loaded.num_timesteps, loaded.episodes) == (steps, saved.episodes)
    assert (loaded.observation_space, loaded.action_space) == (saved.observation_space, saved.action_space)
    assert (loaded.mode, loaded.config, loaded.seed) == (mode, saved.config, saved.seed)
    some = np.random.default_rng(3).uniform(-1, 1, (20, 2))
    for deterministic in (True, False):
        assert_array_equal(
            saved.predict(some, None, None, deterministic)[0], loaded.predict(some, None, None, deterministic)[0]
        )
    assert feed(saved, 300, seed=2) == feed(loaded, 300, seed=2)
    assert_same_state(saved.get_state(), loaded.get_state())


@pytest.mark.parametrize("mode", MODES)
def test_saved_in_the_middle_of_an_episode_it_can_go_on_in_it(tmp_path, mode):
    saved = own(mode=mode)
    feed(saved, 255, seed=1)
    saved.act([0.1, 0.1])
    saved.observe(1.0, [0.2, 0.2], False, False)
    saved.save(tmp_path / "agent")
    loaded = DynLiveAgent.load(tmp_path / "agent")
    for agent in (saved, loaded):
        agent.act([0.2, 0.2])
        agent.observe(1.0, [0.3, 0.3], True, False)
    assert_same_state(saved.get_state(), loaded.get_state())


@pytest.mark.parametrize("mode", MODES)
def test_a_loaded_agent_learns_in_its_environment(tmp_path, mode):
    agent = cart(mode=mode).learn(300)
    agent.save(tmp_path / "agent")
    loaded = DynLiveAgent.load(tmp_path / "agent", env="CartPole-v1")
    assert_array_equal(agent.evaluate(3, seed=0).returns, loaded.evaluate(3, seed=0).returns)
    assert loaded.learn(600, reset_num_timesteps=False).num_timesteps == 900
    assert loaded.episodes > agent.episodes
    agent.learn(600)
    assert_same_state(loaded.get_state(), agent.get_state())


@pytest.mark.parametrize("mode", MODES)
def test_set_state_takes_over_what_get_state_returned(mode):
    one, other = own(0, mode=mode), own(9, mode=mode)
    feed(one, 200, seed=1)
    other.set_state(one.get_state())
    assert feed(one, 200, seed=2) == feed(other, 200, seed=2)
    assert_same_state(one.get_state(), other.get_state())


@pytest.mark.parametrize("mode", MODES)
def test_get_state_returns_copies(mode):
    agent = own(mode=mode)
    feed(agent, 150, seed=1)
    state, before = agent.get_state(), agent.get_state()
    for array in state.values():
        array[...] = 1
    assert_same_state(before, agent.get_state())


# -- configurations in files -----------------------------------------------------------------------------------------


def test_another_rule_is_saved_too(tmp_path):
    rule = LearningRule(step="adam", growth="none", share="uniform")
    agent = cart(config=AgentConfig(network=NetworkConfig(rule=rule))).learn(200, progress_bar=False)
    assert agent.actor.rule == replace(rule, max_connections=128 * (8 + 2))  # as many as at first
    agent.save(tmp_path / "agent.dynlive")
    loaded = DynLiveAgent.load(tmp_path / "agent.dynlive")
    assert loaded.config == agent.config
    assert loaded.actor.rule == agent.actor.rule


def test_another_live_configuration_is_saved_too(tmp_path):
    config = LiveConfig(cells=CellConfig(cells=16))
    cart(mode="live", config=config).learn(50).save(tmp_path / "agent.dynlive")
    loaded = DynLiveAgent.load(tmp_path / "agent.dynlive", env="CartPole-v1")
    assert loaded.config == config
    assert loaded.learn(10).config.cells.cells == 16


def test_numbers_of_any_kind_are_saved(tmp_path):
    rule = LearningRule(step="adam", learning_rate=np.float32(0.5), mature=np.int16(7), decays=np.array([0.5, 0.25]))
    config = AgentConfig(network=NetworkConfig(hidden=np.int64(16), rule=rule))
    own(seed=np.int64(3), config=config).save(tmp_path / "agent.dynlive")
    assert DynLiveAgent.load(tmp_path / "agent.dynlive").config == config


# -- older formats ---------------------------------------------------------------------------------------------------

FORMAT_3 = Path(__file__).parent / "data" / "format3"
FORMAT_4, FORMAT_7, FORMAT_8, FORMAT_9 = (FORMAT_3.parent / f"format{number}" for number in (4, 7, 8, 9))
COUNTED = "counted_observations", "distinct_observations"  # what format 9 added, and how much changes


def without_additions(agent):
    """The state of an agent of an older file, without what formats 6 and 7 added, nearly all 0, and with its names."""
    state = agent.get_state()
    assert state.pop("progress.change_share") == 1
    clock, steps, start = (state[f"progress.{name}"][0] for name in ("clock", "steps", "task_start_step"))
    assert clock == steps - start
    del state["progress.clock"]
    added = {"running.explored", "running.discounted_steps", "sample", "scaler.ranked"}
    added |= {f"progress.{name}" for name in ("reward_sum", "return_steps_mean", "steps_mean_square")}
    added |= {f"progress.{name}" for name in (*TREND, "reward_delay", "delay_looked_for", *COUNTED)}
    for name in added & state.keys():
        assert not state.pop(name).any()
    if agent.mode == "live":
        assert (state.pop("scaler.count") == state["scalars.observations"]).all()
    for name, before in (("lowest", "min"), ("highest", "max")):
        state[f"progress.{before}_reward"] = state.pop(f"progress.{name}_reward")
    return state


@pytest.mark.parametrize("mode", MODES)
def test_a_file_of_format_3_goes_on_where_it_was(mode, tmp_path):
    """Written before there was format 4; what the agent chose in the next sixty steps was noted then."""
    agent = DynLiveAgent.load(FORMAT_3 / f"{mode}.safetensors")
    arrays = load_file(FORMAT_3 / f"{mode}.safetensors")
    state = without_additions(agent)
    assert state.pop("progress.target_mean_square") == 0  # what format 4 added
    assert_same_state(state, arrays)
    agent.save(tmp_path / "agent")
    again = DynLiveAgent.load(tmp_path / "agent")
    chosen = feed(agent, 60, seed=2)
    assert chosen[:20] == json.loads((FORMAT_3 / "said.json").read_text())[mode][:20]
    assert feed(again, 60, seed=2) == chosen


@pytest.mark.parametrize("mode", MODES)
def test_a_file_without_samples_gets_what_its_statistics_say(mode, tmp_path):
    agent = cart(mode=mode).learn(400, progress_bar=False)
    agent.save(tmp_path / "agent")
    header, arrays = checkpoint.read(tmp_path / "agent", "agent")
    added = {"running.explored", "sample", "scaler.ranked"} | ({"scaler.count"} if mode == "live" else set())
    old = {name: array for name, array in arrays.items() if name not in added}
    old |= {"progress.min_reward": np.zeros(1), "progress.max_reward": np.ones(1)}
    agent.set_state(from_format_5(header, old)[1])
    state = agent.get_state()
    assert state["scaler.count"].tolist() == arrays["scaler.count"].tolist()
    assert_allclose(state["sample"].mean(axis=1), arrays["scaler.mean"][[1, 3]], atol=0.05)
    assert_allclose(state["sample"].std(axis=1), np.sqrt(arrays["scaler.variance"][[1, 3]]), rtol=0.1)
    agent.learn(100, progress_bar=False)


@pytest.mark.parametrize("mode", MODES)
def test_a_file_of_format_4_goes_on_where_it_was(mode, tmp_path):
    """Written before there was format 5; what the agent chose in the next sixty steps was noted then."""
    agent = DynLiveAgent.load(FORMAT_4 / f"{mode}.safetensors")
    assert_same_state(without_additions(agent), load_file(FORMAT_4 / f"{mode}.safetensors"))
    agent.save(tmp_path / "agent")
    again = DynLiveAgent.load(tmp_path / "agent")
    chosen = feed(agent, 60, seed=2)
    assert chosen[:20] == json.loads((FORMAT_4 / "said.json").read_text())[mode][:20]
    assert feed(again, 60, seed=2) == chosen


def test_a_file_of_format_7_goes_on_where_it_was():
    """Of a recurrent agent, written before there was format 8; what it chose in the next sixty steps was noted then."""
    agent = DynLiveAgent.load(FORMAT_7 / "recurrent.safetensors")
    arrays = load_file(FORMAT_7 / "recurrent.safetensors")
    state = agent.get_state()
    assert state.pop("progress.change_share") == 1
    for name in ("reward_delay", "delay_looked_for", *COUNTED):
        assert state.pop(f"progress.{name}") == 0
    gone = {"progress.trend_episodes", "progress.trend_number_mean", "progress.trend_number_square"}
    assert arrays["progress.trend_episodes"] == state["progress.task_episodes"]
    assert_same_state(state, {name: array for name, array in arrays.items() if name not in gone})
    assert feed(agent, 60, seed=2)[:20] == json.loads((FORMAT_7 / "said.json").read_text())["recurrent"][:20]


@pytest.mark.parametrize("mode", MODES)
def test_a_file_of_format_8_goes_on_where_it_was(mode):
    """Written before there was format 9; what the agent chose in the next sixty steps was noted then."""
    agent = DynLiveAgent.load(FORMAT_8 / f"{mode}.safetensors")
    state = agent.get_state()
    assert state.pop("progress.change_share") == 1
    for name in COUNTED:
        assert state.pop(f"progress.{name}") == 0
    assert_same_state(state, load_file(FORMAT_8 / f"{mode}.safetensors"))
    assert feed(agent, 60, seed=2) == json.loads((FORMAT_8 / "said.json").read_text())[mode]


def test_a_file_of_format_9_does_what_it_had_chosen():
    """Written before continuous actions lay between the values chosen: the next one is such a value, as it was then."""
    agent = DynLiveAgent.load(FORMAT_9 / "continuous.safetensors")
    assert agent.act(agent.interaction.observations[0].astype(float)).tolist() == [1.0, 1.0, -1.0]
    state = agent.get_state()
    policy = state.pop("policy")
    assert_array_equal(policy.reshape(3, 3).argmax(axis=1), state["action"][0])
    assert_array_equal(policy.sum(), 3)
    assert_same_state(state, load_file(FORMAT_9 / "continuous.safetensors"))


def test_a_file_with_slow_neurons_of_products_is_refused(tmp_path):
    header, arrays = checkpoint.read(
        FORMAT_7 / "recurrent.safetensors", "agent", dict.fromkeys((7, 8, 9), checkpoint.unchanged)
    )
    assert header["config"]["recurrence"].pop("products") is False
    header["config"]["recurrence"]["products"] = True
    with pytest.raises(CheckpointError, match="products, which this version no longer knows"):
        from_format_7(header, arrays)


@pytest.mark.parametrize("mode", MODES)
def test_an_older_file_is_checked_like_any_other(mode, tmp_path):
    arrays = load_file(FORMAT_3 / f"{mode}.safetensors")
    with safe_open(FORMAT_3 / f"{mode}.safetensors", "numpy") as file:
        metadata = file.metadata()
    arrays["action"][...] = 3
    save_file(arrays, tmp_path / "agent", metadata)
    with pytest.raises(CheckpointError, match="agent cannot be loaded: 'action' must hold numbers of actions"):
        DynLiveAgent.load(tmp_path / "agent")


@pytest.mark.parametrize("written", [4, 5, 6, 7, 8, 9, 10, "3", 3.0, True, None])
def test_only_older_files_need_no_checksum(written, tmp_path):
    arrays = load_file(FORMAT_3 / "live.safetensors")
    with safe_open(FORMAT_3 / "live.safetensors", "numpy") as file:
        header = json.loads(file.metadata()["dynlive"])
    save_file(arrays, tmp_path / "agent", {"dynlive": json.dumps(header | {"format": written})})
    with pytest.raises(CheckpointError, match="agent is not a DynLive checkpoint, or it is damaged"):
        DynLiveAgent.load(tmp_path / "agent")


# -- what is no agent's file -----------------------------------------------------------------------------------------


def test_loading_refuses_what_is_no_agent(tmp_path):
    file = tmp_path / "agent"
    refused(f"there is no file {file}", DynLiveAgent.load, file, error=FileNotFoundError)
    file.write_bytes(b"no agent")
    refused(f"{file} is not a DynLive checkpoint, or it is damaged", DynLiveAgent.load, file)
    Network.layered(inputs=2, outputs=1).save(file)
    refused(f"{file} holds no agent: it is a file of kind 'network'", DynLiveAgent.load, file)
    cart().save(file)
    file.write_bytes(file.read_bytes()[:-100])
    refused(f"{file} is damaged: its content is not what its checksum says", DynLiveAgent.load, file)


def test_loading_refuses_environments_with_other_spaces(tmp_path):
    file = tmp_path / "agent"
    cart().save(file)
    with pytest.raises(
        ValueError, match=rf"^{re.escape(str(file))} was trained with Box.*, but the environment has Box"
    ):
        DynLiveAgent.load(file, env="Acrobot-v1")
    DynLiveAgent(Corridor(5)).save(file)
    with pytest.raises(ValueError, match=r"was trained with Discrete\(5\), but the environment has Discrete\(6\)$"):
        DynLiveAgent.load(file, env=Corridor(6))


@pytest.mark.parametrize("group", [None, "exploration"])
def test_loading_refuses_configurations_that_it_does_not_know(tmp_path, group):
    file = tmp_path / "agent"
    cart().save(file)
    header, arrays = checkpoint.read(file, "agent")
    (header["config"] if group is None else header["config"][group])["cell_entropy"] = 0.03
    checkpoint.write(file, "agent", header, arrays)
    with pytest.raises(ValueError, match=r"does not understand it, which was written by version .*'cell_entropy'$"):
        DynLiveAgent.load(file)


def test_loading_refuses_files_that_lack_something(tmp_path):
    file = tmp_path / "agent"
    cart().save(file)
    header, arrays = checkpoint.read(file, "agent")
    del header["action_space"]
    checkpoint.write(file, "agent", header, arrays)
    with pytest.raises(ValueError, match=r"^.* is damaged, or .*'action_space'$"):
        DynLiveAgent.load(file)


# -- what a file says of the environment -----------------------------------------------------------------------------


def trained_in(agent, tmp_path):
    agent.save(tmp_path / "agent.dynlive")
    return checkpoint.read(tmp_path / "agent.dynlive", "agent")[0]["env"]


@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
def test_arguments_and_time_limit_of_an_environment_are_saved(tmp_path, many):
    make = partial(gym.make_vec, num_envs=2, vectorization_mode="sync") if many else gym.make
    agent = DynLiveAgent(make("FrozenLake-v1", is_slippery=False, max_episode_steps=9), seed=0)
    expected = {"id": "FrozenLake-v1", "kwargs": {"is_slippery": False}, "max_episode_steps": 9}
    assert trained_in(agent, tmp_path) == expected


def test_a_vector_environment_made_by_hand_is_saved_as_what_it_is_made_of(tmp_path):
    agent = DynLiveAgent(gym.vector.SyncVectorEnv([lambda: gym.make("CartPole-v1")] * 2), seed=0)
    assert trained_in(agent, tmp_path) == {"id": "CartPole-v1", "kwargs": {}, "max_episode_steps": 500}


def test_what_an_environment_is_registered_with_needs_no_description(tmp_path):
    agent = DynLiveAgent("dynlive_rl.envs:DynLive/ChangingCartPole-v0", seed=0)  # schedules and wrappers of its own
    expected = {
        "id": "DynLive/ChangingCartPole-v0",
        "kwargs": {},
        "max_episode_steps": 500,
        "module": "dynlive_rl.envs",
    }
    assert trained_in(agent, tmp_path) == expected
    wrapped = gym.wrappers.TransformReward(agent.env, lambda reward: -reward)
    assert trained_in(DynLiveAgent(wrapped, seed=0), tmp_path) is None


def test_an_environment_that_numbers_do_not_describe_is_not_saved(tmp_path):
    assert trained_in(own(), tmp_path) is None
    wrapped = gym.wrappers.TransformReward(gym.make("CartPole-v1"), lambda reward: -reward)
    assert trained_in(DynLiveAgent(wrapped, seed=0), tmp_path) is None
    drawn = gym.make("FrozenLake-v1", desc=np.array([["S", "G"]]))
    assert trained_in(DynLiveAgent(drawn, seed=0), tmp_path) is None
