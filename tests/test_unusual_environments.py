"""Environments that are made otherwise than most, and legitimate: whatever they are, the agent is at home in them."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.vector.utils import batch_space

from dynlive_rl import DynLiveAgent
from dynlive_rl.agents.checks import BadInputError


class Steps(gym.Env):
    """Pays 1 a step for ten steps, and shows nothing."""

    observation_space, action_space = Box(-1, 1, (2,)), Discrete(2)
    reward = 1.0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return np.zeros(2, np.float32), {}

    def step(self, action):
        assert self.action_space.contains(action), (action, type(action))
        self.t += 1
        return np.zeros(2, np.float32), self.reward, self.t > 9, False, {}


class Sign(Steps):
    """Pays 1 for saying whether `a` is above 0, which stands among its parts where it is told to."""

    def __init__(self, keys):
        self.observation_space = Dict([(key, Box(-1, 1, (1,))) for key in keys])

    def _look(self):
        return {key: self.np_random.uniform(-1, 1, 1).astype(np.float32) for key in ("a", "b")}

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.seen = self._look()
        return self.seen, {}

    def step(self, action):
        reward = float(action == (self.seen["a"][0] > 0))
        _, _, terminated, truncated, info = super().step(action)
        self.seen = self._look()
        return self.seen, reward, terminated, truncated, info


def live(env, **settings):
    return DynLiveAgent(env, seed=0, mode="live", **settings)


def test_a_loaded_agent_reads_the_parts_of_a_dict_by_their_names(tmp_path):
    assert Sign("ab").observation_space == Sign("ba").observation_space  # equal, in another order
    agent = live(Sign("ab")).learn(2_000)
    agent.save(tmp_path / "sign.dynlive")
    here = agent.evaluate(20, seed=0)
    there = DynLiveAgent.load(tmp_path / "sign.dynlive", env=Sign("ba")).evaluate(20, seed=0)
    assert here.mean > 8
    assert here.returns.tolist() == there.returns.tolist()


@pytest.mark.parametrize("keys", [((0, "x"), (1, "x")), (np.int64(3), np.int64(4))])
def test_the_keys_of_a_dict_may_be_anything_that_a_file_can_hold(tmp_path, keys):
    space = Dict({key: Box(-1, 1, (1,)) for key in keys})
    agent = DynLiveAgent(observation_space=space, action_space=Discrete(2), seed=0, mode="live")
    agent.save(tmp_path / "keys.dynlive")
    again = DynLiveAgent.load(tmp_path / "keys.dynlive")
    assert again.observation_space == space
    observation = {key: np.zeros(1) for key in keys}
    assert again.predict(observation, deterministic=True)[0] == agent.predict(observation, deterministic=True)[0]


def test_environments_side_by_side_that_differ_are_not_made_again_as_copies_of_the_first(tmp_path):
    def side_by_side(*limits):
        return SyncVectorEnv([lambda n=n: gym.make("Pendulum-v1", max_episode_steps=n) for n in limits])

    agent = live(side_by_side(5, 10)).learn(60)
    agent.save(tmp_path / "two.dynlive")
    with pytest.raises(ValueError, match="pass env="):
        DynLiveAgent.load(tmp_path / "two.dynlive").learn(10)
    again = DynLiveAgent.load(tmp_path / "two.dynlive", env=side_by_side(5, 10)).learn(60, reset_num_timesteps=False)
    assert again.episodes == agent.learn(60, reset_num_timesteps=False).episodes
    assert again.evaluate(4, seed=0).lengths.tolist() == [5, 10, 5, 10]
    alike = live(side_by_side(5, 5)).learn(10)
    alike.save(tmp_path / "alike.dynlive")
    assert DynLiveAgent.load(tmp_path / "alike.dynlive").learn(10).evaluate(2, seed=0).lengths.tolist() == [5, 5]


class Fleet(VectorEnv):
    """Two environments in one, with an attribute `envs` of its own."""

    def __init__(self, envs):
        self.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}
        self.num_envs, self.envs = 2, envs
        self.single_observation_space, self.single_action_space = Box(-1, 1, (2,)), Discrete(2)
        self.observation_space = batch_space(self.single_observation_space, 2)
        self.action_space = batch_space(self.single_action_space, 2)
        self.reward = np.ones(2)

    def reset(self, *, seed=None, options=None):
        self.t = 0
        return np.zeros((2, 2), np.float32), {}

    def step(self, actions):
        self.t += 1
        return np.zeros((2, 2), np.float32), self.reward, np.full(2, self.t % 11 == 10), np.zeros(2, bool), {}


class WithEnvs(Steps):
    envs = 4


@pytest.mark.parametrize("make", [lambda: Fleet([object(), object()]), lambda: Fleet(2), lambda: Fleet([]), WithEnvs])
def test_an_attribute_called_envs_may_be_anything(tmp_path, make):
    agent = live(make()).learn(40)
    agent.save(tmp_path / "fleet.dynlive")
    assert agent.evaluate(2).returns.tolist() == [10, 10]
    again = DynLiveAgent.load(tmp_path / "fleet.dynlive", env=make()).learn(20, reset_num_timesteps=False)
    assert again.num_timesteps == 60


class Room(Steps):
    """Offers its state, and takes only one of its own size."""

    size = 3

    def get_state(self):
        return {"t": self.t, "map": np.zeros(self.size)}

    def set_state(self, state):
        if state["map"].shape != (self.size,):
            raise ValueError("the map is of another size")
        self.t = state["t"]


def test_an_environment_that_does_not_take_its_state_any_more_begins_an_episode(tmp_path, monkeypatch, caplog):
    live(Room()).learn(33).save(tmp_path / "room.dynlive")
    assert DynLiveAgent.load(tmp_path / "room.dynlive", env=Room())._workplace.loop().position.begun
    monkeypatch.setattr(Room, "size", 4)
    with caplog.at_level("INFO"):
        agent = DynLiveAgent.load(tmp_path / "room.dynlive", env=Room()).learn(10, reset_num_timesteps=False)
    assert "another environment than the one whose state the file holds" in caplog.text
    assert agent.num_timesteps == 43


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [(np.int8, -128, 127), (np.uint8, 0, 255), (np.int64, -(2**62), 2**62), (np.float64, -1.7e308, 1.7e308)],
)
@pytest.mark.filterwarnings("error")
def test_what_was_done_is_remembered_as_the_nearest_value_of_any_type(dtype, low, high):
    space = Box(low, high, (1,), dtype)
    agent = DynLiveAgent(observation_space=Box(-1, 1, (1,)), action_space=space, seed=0, mode="live")
    nearest = agent.interaction.decoder.nearest
    assert nearest(space.low[None]) == 0
    assert nearest(space.high[None]) == 2
    near = np.array([[dtype(low - low / 8 + high / 8)]], dtype)  # an eighth of the way from the lowest to the highest
    assert nearest(near) == 0


@pytest.mark.parametrize("dtype", [np.int8, np.uint16])
def test_whole_actions_have_their_spaces_type_in_a_batch_too(dtype):
    class Strict(Steps):
        action_space = Discrete(3, dtype=dtype, start=1)

    gym.register("Unusual/Strict-v0", Strict)
    try:
        agent = live("Unusual/Strict-v0").learn(30)
        assert agent.predict(np.zeros((2, 2)))[0].dtype == dtype
        assert agent.evaluate(3).returns.tolist() == [10, 10, 10]
        assert live(gym.make_vec("Unusual/Strict-v0", 2, vectorization_mode="sync")).learn(30).num_timesteps == 30
    finally:
        del gym.registry["Unusual/Strict-v0"]


def test_a_random_generator_that_cannot_be_put_back_is_left_alone():
    class Fixed(Steps):
        @property
        def np_random(self):
            return np.random.default_rng(0)

        def reset(self, *, seed=None, options=None):
            self.t = 0
            return np.zeros(2, np.float32), {}

    assert live(Fixed()).evaluate(1).returns.tolist() == [10]


@pytest.mark.filterwarnings("error")
def test_a_half_precision_box_without_bounds_is_known_to_have_none():
    unbounded, bounded = (
        DynLiveAgent(observation_space=space, action_space=Discrete(2), seed=0, mode="live").interaction.encoder.scaled
        for space in (Box(-np.inf, np.inf, (1,), np.float16), Box(-1, 1, (1,), np.float16))
    )
    assert unbounded != bounded


@pytest.mark.parametrize("reward", [np.nan, np.inf, np.array([1.0]), None, "1"])
def test_evaluation_takes_no_reward_that_is_not_a_number(reward):
    env, fleet = Steps(), Fleet(2)
    agents = live(env).learn(5), live(fleet).learn(10)
    env.reward, fleet.reward = reward, [reward, 1.0]
    for agent in agents:
        with pytest.raises(BadInputError, match="reward"):
            agent.evaluate(2)
