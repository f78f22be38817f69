"""The agent as its user meets it: learning, a loop of one's own, predicting, saving, and what it refuses."""

import logging
import re
import subprocess
import sys
from functools import partial

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from gymnasium.wrappers import TimeLimit
from numpy.testing import assert_array_equal

from dynlive_rl import DynLiveAgent, LearningRule, Network, checkpoint
from dynlive_rl.agents import AgentConfig
from dynlive_rl.agents.kernels import actor_critic
from dynlive_rl.agents.kernels.experience import RowKind
from worlds import Broken, Corridor, Counting


def cart(seed=0, **settings):
    return DynLiveAgent("CartPole-v1", seed=seed, **settings)


def own(seed=0, **settings):
    return DynLiveAgent(observation_space=Box(-1, 1, (2,)), action_space=Discrete(3), seed=seed, **settings)


def play(agent, env, steps, seed=None):
    """Act and observe in a loop of one's own, from a reset."""
    observation, _ = env.reset(seed=seed)
    for _ in range(steps):
        action = agent.act(observation)
        observation, reward, terminated, truncated, _ = env.step(action)
        agent.observe(reward, observation, terminated, truncated)
        if terminated or truncated:
            observation, _ = env.reset()


def feed(agent, steps, seed):
    """Let the agent learn from made-up steps, the same ones whatever it does; returns its actions."""
    rng = np.random.default_rng(seed)
    observation, actions = rng.uniform(-1, 1, 2), []
    for t in range(1, steps + 1):
        actions.append(agent.act(observation))
        following = rng.uniform(-1, 1, 2)
        agent.observe(rng.normal(), following, t % 17 == 0, t % 29 == 0)
        observation = following if t % 17 and t % 29 else rng.uniform(-1, 1, 2)
    return actions


def assert_same_state(one, other, but=()):
    assert one.keys() == other.keys()
    for name in one.keys() - set(but):
        assert_array_equal(one[name], other[name], err_msg=name, strict=True)


def assert_strengths_are_shares(agent):
    for network in (agent.actor, agent.critic):
        for neuron in (i for layer in network.layers if layer.kind != "input" for i in layer.ids):
            strengths = network.strengths(neuron)
            assert (strengths >= 0).all()
            assert strengths.sum() == pytest.approx(1, abs=1e-4)


def refused(message, call, *arguments, error=ValueError, **settings):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call(*arguments, **settings)


def experience(agent):
    return agent._learner.state.experience


# -- learn ---------------------------------------------------------------------------------------------------------


def test_learn_returns_the_agent_and_counts_steps():
    agent = cart()
    assert agent.learn(150) is agent
    assert agent.num_timesteps == 150
    assert agent.learn(100).num_timesteps == 100
    assert agent.learn(50, reset_num_timesteps=False).num_timesteps == 150
    assert agent.learn(0).num_timesteps == 0
    assert agent.episodes > 0


def test_learning_in_pieces_is_learning_at_once():
    once = cart().learn(400)
    pieces = cart()
    for steps in (1, 99, 0, 300):
        pieces.learn(steps)
    assert_same_state(once.get_state(), pieces.get_state())


def test_the_callback_gets_every_step_and_the_episodes():
    reports = []
    agent = DynLiveAgent(Counting(length=4), seed=0)
    agent.learn(10, callback=reports.append)
    assert [report.new_steps for report in reports] == [1] * 10
    assert all(report.agent is agent for report in reports)
    finished = [episode for report in reports for episode in report.finished]
    assert [(e.episode_return, e.length) for e in finished] == [(10, 4), (410, 4)]
    assert agent.episodes == 2


def test_the_callback_can_stop_learning():
    agent = cart()
    agent.learn(500, callback=lambda report: report.agent.num_timesteps < 37)
    assert agent.num_timesteps == 37
    assert agent.learn(100, callback=lambda report: None).num_timesteps == 100
    assert agent.learn(100, callback=lambda report: np.bool_(report.agent.num_timesteps < 5)).num_timesteps == 5


def test_log_interval_logs_every_so_many_episodes(caplog):
    with caplog.at_level(logging.INFO, logger="dynlive_rl.agents.agent"):
        DynLiveAgent(Counting(length=4), seed=0).learn(41, log_interval=3)
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "step 12, 3 episodes", "step 24, 6 episodes", "step 36, 9 episodes",
    ]  # fmt: skip


@pytest.mark.parametrize("steps", [-1, 1.5, True, None, "abc", np.inf])
def test_learn_refuses_other_numbers_of_steps(steps):
    refused(f"total_timesteps must be a whole number ≥ 0, not {steps!r}", cart().learn, steps)
    assert cart().learn(1e1).num_timesteps == 10


def test_learn_refuses_other_intervals():
    refused("log_interval must be a whole number ≥ 1, not 1.5", cart().learn, 10, log_interval=1.5)


def test_learn_needs_an_environment():
    refused("this agent has no environment to learn in: pass env=, or call act and observe yourself", own().learn, 10)


def interrupt(env, action):
    raise KeyboardInterrupt


def interrupt_afterwards(env, action):
    env.step(action)
    raise KeyboardInterrupt


@pytest.mark.parametrize("what", [interrupt, interrupt_afterwards])
@pytest.mark.parametrize("at", [1, 40, 200])
def test_ctrl_c_ends_learn_and_learning_can_go_on(what, at, caplog):
    agent = DynLiveAgent(Broken(TimeLimit(Counting(length=50), 40), at, what), seed=0)
    agent.learn(300)
    assert agent.num_timesteps == at - 1
    assert "what was learned is kept" in caplog.text
    agent.learn(300, reset_num_timesteps=False)
    assert agent.num_timesteps == at - 1 + 300
    assert_strengths_are_shares(agent)
    # Whatever had been going on, every step that was learned from follows its own observation.
    kept = experience(agent)
    rows = int(kept.rows[0])
    for observation, kind, following in zip(
        kept.observation[0, : rows - 1], kept.kind[0, : rows - 1], kept.observation[0, 1:rows], strict=True
    ):
        if kind == RowKind.STEP:
            assert_array_equal(following, [observation[0], observation[1] + 1])


def test_one_compiled_call_per_step_and_one_per_reset(monkeypatch):
    calls = []
    for name in ("begin", "observe"):
        kernel = getattr(actor_critic, name)
        monkeypatch.setattr(actor_critic, name, lambda *a, n=name, k=kernel: (calls.append(n), k(*a))[1])
    DynLiveAgent(Counting(length=4), seed=0).learn(20)
    assert calls == (["begin"] + ["observe"] * 4) * 5


# -- a loop of one's own -------------------------------------------------------------------------------------------


def test_a_loop_of_ones_own_is_learn():
    learned, looped = cart().learn(600), cart()
    play(looped, gym.make("CartPole-v1"), 600, seed=0)
    assert_same_state(learned.get_state(), looped.get_state())
    assert looped.num_timesteps == 600


def test_act_again_is_the_same_action():
    agent = own()
    first = agent.act([0.1, 0.2])
    before = agent.get_state()
    assert agent.act([0.1, 0.2]) == first
    assert_same_state(before, agent.get_state())


def test_observe_needs_an_action():
    agent = own()
    message = "there is no action to learn about: call act(observation) before observe"
    refused(message, agent.observe, 1.0, [0, 0], False, False)
    agent.act([0, 0])
    agent.observe(1.0, [0, 0], True, False)
    refused(message, agent.observe, 1.0, [0, 0], False, False)
    assert agent.num_timesteps == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("what", ["reward", "next_observation"])
def test_what_is_not_finite_is_refused_and_changes_nothing(bad, what):
    agent = own()
    feed(agent, 150, seed=1)
    action = agent.act([0.5, 0.5])
    before = agent.get_state()
    step = (bad, [0.0, 0.0]) if what == "reward" else (1.0, [0.0, bad])
    name = what.removeprefix("next_")
    with pytest.raises(
        ValueError, match=rf"^{name}s must be numbers within ±1e30, not {bad}; nothing was learned from it$"
    ):
        agent.observe(*step, False, False)
    assert_same_state(before, agent.get_state())
    assert agent.num_timesteps == 150
    assert agent.act([0.5, 0.5]) == action
    agent.observe(1.0, [0.0, 0.0], False, False)


def test_act_refuses_what_is_not_finite():
    agent = own()
    before = agent.get_state()
    with pytest.raises(ValueError, match=r"^observations must be numbers within ±1e30, not nan"):
        agent.act([np.nan, 0])
    assert_same_state(before, agent.get_state())
    assert agent.act([0, 0]) in (0, 1, 2)


@pytest.mark.parametrize("observation", [[1.0], [1.0, 2.0, 3.0], "left", None])
def test_observations_of_another_shape_are_refused(observation):
    message = f"the observation {observation!r} does not fit the space {Box(-1, 1, (2,))}"
    agent = own()
    refused(message, agent.act, observation)
    agent.act([0, 0])
    refused(message, agent.observe, 0.0, observation, False, False)


def test_a_time_limit_is_no_end():
    agent = own()
    for terminated, truncated in ((False, False), (True, False), (False, True), (True, True)):
        agent.act([0.1, 0.1])
        agent.observe(1.0, [0.1, 0.1], terminated, truncated)
    # Rows: two steps and how they ended, then a step each and how it ended.
    assert experience(agent).kind[0, :7].tolist() == [
        RowKind.STEP,
        RowKind.STEP,
        RowKind.TERMINATED,
        RowKind.STEP,
        RowKind.TRUNCATED,
        RowKind.STEP,
        RowKind.TERMINATED,
    ]


def test_another_observation_starts_an_episode():
    agent = own()
    agent.act([0.1, 0.1])
    agent.observe(1.0, [0.2, 0.2], False, False)
    agent.act([0.2, 0.2])
    agent.act([0.9, 0.9])  # the user reset
    agent.observe(1.0, [0.8, 0.8], False, False)
    assert experience(agent).kind[0, :4].tolist() == [RowKind.STEP, RowKind.TRUNCATED, RowKind.STEP, RowKind.STEP]
    assert experience(agent).reward[0, :3].tolist() == [1, 0, 1]


def test_spaces_and_environment_go_together():
    message = "give an env, or both observation_space and action_space"
    refused(message, DynLiveAgent)
    refused(message, DynLiveAgent, observation_space=Discrete(2))
    with pytest.raises(ValueError, match="env brings its own spaces"):
        DynLiveAgent("CartPole-v1", observation_space=Discrete(2))
    refused("env must be an environment id or a Gymnasium environment, not 3", DynLiveAgent, 3, error=TypeError)


# -- the experience and the strengths --------------------------------------------------------------------------------


@pytest.mark.parametrize("memory", [64, 300])
def test_a_small_memory_wraps(memory):
    agent = cart(config=AgentConfig(memory=memory)).learn(1000)
    assert experience(agent).kind.shape == (1, memory)
    assert experience(agent).rows[0] > 1000
    assert_strengths_are_shares(agent)
    assert np.isfinite(agent.get_state()["track"]).all()


def test_the_memory_must_hold_a_batch():
    refused("memory must be at least one batch (64), not 63", AgentConfig, memory=63)


def test_strengths_stay_shares():
    assert_strengths_are_shares(cart().learn(2000))


# -- predict and evaluate --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained():
    return cart().learn(600)


@pytest.mark.parametrize("deterministic", [True, False])
def test_predict_is_stable_baselines_predict(trained, deterministic):
    action, state = trained.predict([0.0, 0.1, 0.0, -0.1], deterministic=deterministic)
    assert np.shape(action) == ()
    assert action in (0, 1)
    assert state is None
    actions, state = trained.predict(np.zeros((5, 4)), ("kept",), np.ones(5, bool), deterministic)
    assert actions.shape == (5,)
    assert set(actions.tolist()) <= {0, 1}
    assert state == ("kept",)


def test_one_prediction_is_the_batch_prediction(trained):
    observations = np.random.default_rng(0).normal(size=(50, 4))
    actions, _ = trained.predict(observations, deterministic=True)
    assert actions.tolist() == [int(trained.predict(x, deterministic=True)[0]) for x in observations]
    assert 0 < actions.sum() < 50


def test_predict_refuses_what_is_not_finite(trained):
    refused("observations must be finite, but one contains nan", trained.predict, [0, 0, np.nan, 0])


def test_predicting_and_evaluating_change_nothing():
    undisturbed, agent = own(), own()
    feed(undisturbed, 300, seed=1)
    feed(agent, 300, seed=1)
    before = agent.get_state()
    agent.predict([0.3, 0.3], deterministic=True)
    assert_same_state(before, agent.get_state())
    agent.predict(np.zeros((7, 2)), deterministic=False)
    assert_same_state(before, agent.get_state(), but=["predict_random"])
    assert feed(undisturbed, 300, seed=2) == feed(agent, 300, seed=2)
    assert_same_state(undisturbed.get_state(), agent.get_state(), but=["predict_random"])


def test_evaluating_in_between_changes_nothing():
    undisturbed, agent = cart().learn(500), cart().learn(250)
    before = agent.get_state()
    agent.evaluate(3, seed=1)
    assert_same_state(before, agent.get_state())
    assert_same_state(undisturbed.get_state(), agent.learn(250).get_state())


def test_evaluate_tells_every_episode(trained):
    result = trained.evaluate(7, seed=3)
    assert result.returns.shape == result.lengths.shape == (7,)
    assert_array_equal(result.returns, result.lengths)  # CartPole pays 1 a step
    assert result.mean == result.returns.mean()
    assert result.std == result.returns.std()
    assert_array_equal(result.returns, trained.evaluate(7, seed=3).returns)
    assert trained.evaluate(2, env=TimeLimit(gym.make("CartPole-v1"), 5)).lengths.max() <= 5


class Endless(gym.Env):
    """Never ends by itself."""

    def __init__(self, render_mode=None):
        self.observation_space, self.action_space = Discrete(2), Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return 0, {}

    def step(self, action):
        return 0, -1.0, False, False, {}


gym.register("Endless-v0", Endless)


def test_an_episode_that_never_ends_is_broken_off():
    agent = DynLiveAgent("Endless-v0", seed=0).learn(300)
    result = agent.evaluate(2, max_steps=7)
    assert result.lengths.tolist() == [7, 7]
    assert result.returns.tolist() == [-7, -7]
    assert result.truncated.all()
    assert agent.evaluate(1).lengths.tolist() == [10_000]
    assert agent.evaluate(1, env=gym.make("Endless-v0", max_episode_steps=12)).lengths.tolist() == [12]
    refused("max_steps must be a whole number ≥ 1, not 0", agent.evaluate, 1, max_steps=0)


def test_evaluate_tells_who_was_broken_off(trained):
    short = trained.evaluate(4, env=gym.make("CartPole-v1", max_episode_steps=5))
    assert short.truncated.all()
    falling = DynLiveAgent("CartPole-v1", seed=0).evaluate(4, seed=0)
    assert (falling.truncated == (falling.lengths == 500)).all()


def test_evaluate_refuses(trained):
    refused("episodes must be a whole number ≥ 1, not 0", trained.evaluate, 0)
    refused("episodes must be a whole number ≥ 1, not 'abc'", trained.evaluate, "abc")
    refused("this agent has no environment to be evaluated in: pass env=", own().evaluate)
    with pytest.raises(ValueError, match=r"^this agent was trained with Box.*, but the environment has Box"):
        trained.evaluate(1, env="Acrobot-v1")
    with pytest.raises(ValueError, match=r"does not know how it was made, .*: register what it is made of$"):
        DynLiveAgent(Counting()).evaluate(1)


def test_a_vector_environment_made_by_hand_is_evaluated_as_what_it_is_made_of(tmp_path):
    agent = DynLiveAgent(gym.vector.SyncVectorEnv([lambda: gym.make("CartPole-v1")] * 2), seed=0)
    assert agent.evaluate(3, seed=0).returns.shape == (3,)
    assert trained_in(agent, tmp_path) == {"id": "CartPole-v1", "kwargs": {}, "max_episode_steps": 500}


def trained_in(agent, tmp_path):
    agent.save(tmp_path / "agent.dynlive")
    return checkpoint.read(tmp_path / "agent.dynlive", "agent")[0]["env"]


@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
def test_arguments_and_time_limit_of_an_environment_are_saved(tmp_path, many):
    make = partial(gym.make_vec, num_envs=2, vectorization_mode="sync") if many else gym.make
    agent = DynLiveAgent(make("FrozenLake-v1", is_slippery=False, max_episode_steps=9), seed=0)
    expected = {"id": "FrozenLake-v1", "kwargs": {"is_slippery": False}, "max_episode_steps": 9}
    assert trained_in(agent, tmp_path) == expected


def test_what_an_environment_is_registered_with_needs_no_description(tmp_path):
    agent = DynLiveAgent("dynlive_rl.envs:DynLive/ChangingCartPole-v0", seed=0)  # schedules and wrappers of its own
    expected = {"id": "DynLive/ChangingCartPole-v0", "kwargs": {}, "max_episode_steps": 500}
    assert trained_in(agent, tmp_path) == expected
    wrapped = gym.wrappers.TransformReward(agent.env, lambda reward: -reward)
    assert trained_in(DynLiveAgent(wrapped, seed=0), tmp_path) is None


def test_an_environment_that_numbers_do_not_describe_is_not_saved(tmp_path):
    assert trained_in(own(), tmp_path) is None
    wrapped = gym.wrappers.TransformReward(gym.make("CartPole-v1"), lambda reward: -reward)
    assert trained_in(DynLiveAgent(wrapped, seed=0), tmp_path) is None
    drawn = gym.make("FrozenLake-v1", desc=np.array([["S", "G"]]))
    assert trained_in(DynLiveAgent(drawn, seed=0), tmp_path) is None


def test_a_vector_environment_is_not_evaluated_without_what_wraps_it():
    plain = gym.make_vec("CartPole-v1", num_envs=2)
    assert DynLiveAgent(gym.wrappers.vector.RecordEpisodeStatistics(plain), seed=0).evaluate(2).returns.shape == (2,)
    swapped = gym.wrappers.vector.TransformAction(plain, lambda actions: 1 - actions)
    with pytest.raises(ValueError, match=r"does not know how it was made, .*: register what it is made of$"):
        DynLiveAgent(swapped, seed=0).evaluate(2)


def test_a_time_limit_of_the_environments_own_holds_side_by_side_too():
    long = gym.vector.SyncVectorEnv([lambda: gym.make("Endless-v0", max_episode_steps=10_050)])
    assert DynLiveAgent(long, seed=0).evaluate(1).lengths.tolist() == [10_050]


class Plain(gym.Env):
    """An environment that takes no arguments at all."""

    observation_space, action_space = Box(0, 1, (1,)), Discrete(2)

    def __init__(self):
        pass

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(1, np.float32), {}

    def step(self, action):
        return np.zeros(1, np.float32), float(action), True, False, {}


@pytest.mark.parametrize(("settings", "works"), [({}, True), ({"speed": 3}, False)])
def test_an_environment_is_made_with_what_it_takes(monkeypatch, settings, works):
    spec = gym.envs.registration.EnvSpec(id="Plain-v0", entry_point=Plain, kwargs=settings)
    monkeypatch.setitem(gym.registry, "Plain-v0", spec)
    if works:
        assert DynLiveAgent("Plain-v0", seed=0).learn(20, progress_bar=False).episodes == 20
    else:
        with pytest.raises(
            ValueError, match=r"^cannot make environment 'Plain-v0': .*unexpected keyword argument 'speed'"
        ):
            DynLiveAgent("Plain-v0")


# -- the same again --------------------------------------------------------------------------------------------------

FINGERPRINT = """
import hashlib
from dynlive_rl import DynLiveAgent
state = DynLiveAgent("CartPole-v1", seed=5).learn(600).get_state()
digest = hashlib.sha256(b"".join(name.encode() + state[name].tobytes() for name in sorted(state))).hexdigest()
"""


def test_the_same_seed_is_the_same_agent_in_a_new_process_too():
    here = {}
    exec(FINGERPRINT, here)
    again = cart(5).learn(600).get_state()
    assert_same_state(here["state"], again)
    done = subprocess.run(
        [sys.executable, "-c", FINGERPRINT + "print(digest)"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == here["digest"]
    other = cart(6).learn(600).get_state()
    assert not np.array_equal(again["actor.strength"], other["actor.strength"])


def test_no_global_random_state_is_touched():
    np.random.seed(1)  # noqa: NPY002
    before = np.random.get_state()  # noqa: NPY002
    cart().learn(300).evaluate(2, seed=0)
    after = np.random.get_state()  # noqa: NPY002
    assert_array_equal(before[1], after[1])
    assert before[2:] == after[2:]


# -- saving and loading ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [0, 255, 17 * 20, 1100])  # nothing, mid-episode, at an episode's end, a grown memory
def test_a_loaded_agent_goes_on_like_the_saved_one(tmp_path, steps):
    saved = own()
    feed(saved, steps, seed=1)
    saved.save(tmp_path / "agent")
    loaded = DynLiveAgent.load(tmp_path / "agent")
    assert_same_state(saved.get_state(), loaded.get_state())
    assert (loaded.num_timesteps, loaded.episodes) == (steps, saved.episodes)
    assert (loaded.observation_space, loaded.action_space) == (saved.observation_space, saved.action_space)
    assert (loaded.config, loaded.seed) == (saved.config, saved.seed)
    some = np.random.default_rng(3).uniform(-1, 1, (20, 2))
    for deterministic in (True, False):
        assert_array_equal(
            saved.predict(some, None, None, deterministic)[0], loaded.predict(some, None, None, deterministic)[0]
        )
    assert feed(saved, 300, seed=2) == feed(loaded, 300, seed=2)
    assert_same_state(saved.get_state(), loaded.get_state())


def test_saved_in_the_middle_of_an_episode_it_can_go_on_in_it(tmp_path):
    saved = own()
    feed(saved, 255, seed=1)
    saved.act([0.1, 0.1])
    saved.observe(1.0, [0.2, 0.2], False, False)
    saved.save(tmp_path / "agent")
    loaded = DynLiveAgent.load(tmp_path / "agent")
    for agent in (saved, loaded):
        agent.act([0.2, 0.2])
        agent.observe(1.0, [0.3, 0.3], True, False)
    assert_same_state(saved.get_state(), loaded.get_state())


def test_a_loaded_agent_learns_in_its_environment(tmp_path):
    agent = cart().learn(300)
    agent.save(tmp_path / "agent")
    loaded = DynLiveAgent.load(tmp_path / "agent", env="CartPole-v1")
    assert_array_equal(agent.evaluate(3, seed=0).returns, loaded.evaluate(3, seed=0).returns)
    assert loaded.learn(600, reset_num_timesteps=False).num_timesteps == 900
    assert loaded.episodes > agent.episodes
    again = DynLiveAgent.load(tmp_path / "agent", env="CartPole-v1").learn(600)
    assert_same_state(loaded.get_state(), again.get_state())


def test_set_state_takes_over_what_get_state_returned():
    one, other = own(0), own(9)
    feed(one, 200, seed=1)
    other.set_state(one.get_state())
    assert feed(one, 200, seed=2) == feed(other, 200, seed=2)
    assert_same_state(one.get_state(), other.get_state())


def test_loading_refuses(tmp_path):
    file = tmp_path / "agent"
    refused(f"there is no file {file}", DynLiveAgent.load, file, error=FileNotFoundError)
    file.write_bytes(b"no agent")
    refused(f"{file} is not a DynLive checkpoint, or it is damaged", DynLiveAgent.load, file)
    Network.layered(inputs=2, outputs=1).save(file)
    refused(f"{file} holds no agent: it is a file of kind 'network'", DynLiveAgent.load, file)
    cart().save(file)
    whole = file.read_bytes()
    file.write_bytes(whole[:-100])
    refused(f"{file} is not a DynLive checkpoint, or it is damaged", DynLiveAgent.load, file)
    file.write_bytes(whole)
    with pytest.raises(
        ValueError, match=rf"^{re.escape(str(file))} was trained with Box.*, but the environment has Box"
    ):
        DynLiveAgent.load(file, env="Acrobot-v1")
    header, arrays = checkpoint.read(file, "agent")
    header["config"]["cell_entropy"] = 0.03
    checkpoint.write(file, "agent", header, arrays)
    with pytest.raises(ValueError, match=r"does not understand it, which was written by version .*'cell_entropy'$"):
        DynLiveAgent.load(file)
    del header["action_space"]
    checkpoint.write(file, "agent", header, arrays)
    with pytest.raises(ValueError, match=r"^.* is damaged, or .*'action_space'$"):
        DynLiveAgent.load(file)
    DynLiveAgent(Corridor(5)).save(file)
    with pytest.raises(ValueError, match=r"was trained with Discrete\(5\), but the environment has Discrete\(6\)$"):
        DynLiveAgent.load(file, env=Corridor(6))


def test_saving_needs_a_folder(tmp_path):
    file = tmp_path / "none" / "agent"
    refused(f"cannot write {file}: there is no folder {file.parent}", own().save, file, error=FileNotFoundError)


def test_the_remembered_probability_of_a_choice_is_the_true_one_while_choices_are_held():
    agent = own(seed=3, config=AgentConfig(first_rehearsal=10**6))
    observation = np.zeros(2)
    for step in range(20_000):  # the reward is always the same and no episode ends by itself: it goes on searching
        agent.act(observation)
        agent.observe(-1.0, observation, False, step % 200 == 199)
    state = agent.get_state()
    acted = state["experience.kind"][0] == RowKind.STEP
    action, probability = state["experience.action"][0, acted, 0], state["experience.probability"][0, acted, 0]
    action, probability = action[:20_000], probability[:20_000]
    assert (action[1:] == action[:-1]).mean() > 0.7  # held
    for k in range(3):
        # Whatever the past, 1 / probability of what is chosen is 1 on average, once where it is chosen and 0 elsewhere.
        assert np.mean((action == k) / probability) == pytest.approx(1, abs=0.35)


def test_another_rule_is_saved_too(tmp_path):
    config = AgentConfig(rule=LearningRule(step="adam", growth="none", share="uniform"))
    agent = DynLiveAgent("CartPole-v1", seed=0, config=config).learn(200, progress_bar=False)
    assert agent.actor.rule == config.rule
    agent.save(tmp_path / "agent.dynlive")
    loaded = DynLiveAgent.load(tmp_path / "agent.dynlive")
    assert loaded.config == config
    assert loaded.actor.rule == config.rule


def test_a_rule_must_be_one():
    with pytest.raises(TypeError, match="rule must be a LearningRule, not 'original'"):
        AgentConfig(rule="original")
    with pytest.raises(TypeError, match="rule must be a LearningRule, not 'original'"):
        cart().actor.rule = "original"


def test_numbers_of_any_kind_are_kept_as_what_they_are_meant_to_be(tmp_path):
    rule = LearningRule(step="adam", learning_rate=np.float32(0.5), mature=np.int16(7), decays=np.array([0.5, 0.25]))
    config = AgentConfig(hidden=np.int64(16), error_clip=30, warm_up=np.float64(5.0), rule=rule)
    assert {type(x) for x in config.settings()} == {type(x) for x in AgentConfig().settings()}
    for one, other in zip(config.settings(), AgentConfig().settings(), strict=True):
        assert type(one) is type(other)  # the kernels are compiled for types
    assert [type(x) for x in rule.numbers()] == [type(x) for x in LearningRule().numbers()]
    agent = DynLiveAgent(observation_space=Box(-1, 1, (2,)), action_space=Discrete(3), seed=np.int64(3), config=config)
    agent.save(tmp_path / "agent.dynlive")
    assert DynLiveAgent.load(tmp_path / "agent.dynlive").config == config


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden": "a"}, "hidden must be a number, not 'a'"),
        ({"hidden": 1.5}, "hidden must be a whole number ≥ 1, not 1.5"),
        ({"segments": 1, "segment_length": 32}, "batch must be at most segments · segment_length (32), not 64"),
        ({"longest_hold": 0.0}, "longest_hold must be at least 1, not 0.0"),
        ({"slow_rate": 0.6}, "slow_rate · boost must be at most 1, not 0.6 · 2.0"),
        ({"stuck_share": 5.0}, "stuck_share must be in [0, 1], not 5.0"),
        ({"rehearsal_half_life": 0.0}, "rehearsal_half_life must be above 0"),
        ({"value_gain_low": 90.0}, "value_gain_low must not be above value_gain_high, but 90.0 > 64.0"),
    ],
)
def test_configurations_that_could_not_learn_are_refused(settings, message):
    refused(message, AgentConfig, **settings)


@pytest.mark.parametrize("seed", [-1, 1.5, "a"])
def test_seeds_are_whole_numbers(seed):
    refused(f"seed must be a whole number ≥ 0, not {seed!r}", own, seed)
