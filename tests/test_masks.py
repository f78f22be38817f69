"""Action masks: what is masked is never done, and no part of what is learned; nothing changes where there are none."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from numpy.testing import assert_allclose, assert_array_equal

from calls import call_credit_policy, call_sample_action
from dynlive_rl import DynLiveAgent
from dynlive_rl.agents.config import AgentConfig
from dynlive_rl.agents.kernels.experience import as_singles, new_experience
from dynlive_rl.agents.masks import forbidden_actions
from helpers import assert_same_state, cart, experience, feed, own
from networks import refused

MODES = ("rehearsal", "live")
TAXI = max(name for name in gym.registry if name.startswith("Taxi-v"))


class Seating(gym.Env):
    """Whoever comes takes a free chair of five, the best one is numbered by the guest; a taken chair is an error.

    With `pairs`, an action is a chair and one of two cushions, of which the guest's own may not be taken.
    """

    def __init__(self, pairs=False):
        self.observation_space = MultiDiscrete([2] * 5 + [5])
        self.action_space = MultiDiscrete([5, 2]) if pairs else Discrete(5)
        self.pairs = pairs

    def _seen(self):
        mask = self.free.astype(np.int8)
        if self.pairs:
            mask = np.concatenate([mask, [self.guest % 2, (self.guest + 1) % 2]]).astype(np.int8)
        return np.array([*self.free, self.guest]), {"action_mask": mask}

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.free = np.ones(5, bool)
        self.guest = int(self.np_random.integers(5))
        return self._seen()

    def step(self, action):
        chair = action[0] if self.pairs else action
        assert self.free[chair], "this chair is taken"
        assert not self.pairs or action[1] == (self.guest + 1) % 2, "this is the guest's own"
        self.free[chair] = False
        reward = 1.0 - abs(chair - self.guest) / 4
        self.guest = int(self.np_random.integers(5))
        observation, info = self._seen()
        return observation, reward, not self.free.any(), False, info


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("pairs", [False, True], ids=["chairs", "chairs and cushions"])
def test_it_learns_and_never_does_what_is_masked(mode, pairs):
    agent = DynLiveAgent(Seating(pairs), seed=0, mode=mode)
    before = agent.evaluate(100, seed=0).mean
    agent.learn(1500 if mode == "rehearsal" else 3000)
    assert agent.evaluate(100, seed=0).mean >= before + 0.2
    agent.evaluate(20, seed=0, deterministic=False)


def test_taxi_tells_its_masks():
    class Watched(gym.Wrapper):
        refused = 0

        def reset(self, **kwargs):
            observation, self.info = self.env.reset(**kwargs)
            return observation, self.info

        def step(self, action):
            self.refused += not self.info["action_mask"][action]
            *rest, self.info = self.env.step(action)
            return (*rest, self.info)

    agent = DynLiveAgent(Watched(gym.make(TAXI)), seed=0).learn(1500)
    agent.evaluate(2, max_steps=100)
    assert agent.env.refused == 0
    assert experience(agent).forbidden[0, : agent.num_timesteps].any()


@pytest.mark.slow
def test_taxi_is_learned_with_its_masks():
    assert DynLiveAgent(TAXI, seed=0).learn(12_000).evaluate(100, seed=0).mean >= 5


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("autoreset", list(AutoresetMode))
def test_vector_environments_have_masks(mode, autoreset):
    several = SyncVectorEnv([Seating] * 3, autoreset_mode=autoreset)
    agent = DynLiveAgent(several, seed=0, mode=mode).learn(600)
    assert agent.interaction.learner.is_masked
    again = SyncVectorEnv([Seating] * 3, autoreset_mode=autoreset)
    assert agent.evaluate(7, env=again, seed=0).lengths.tolist() == [5] * 7


@pytest.mark.parametrize("mode", MODES)
def test_a_loop_of_ones_own_gives_masks(mode):
    agent = own(mode=mode)
    rng = np.random.default_rng(0)
    for t in range(400):
        observation, mask = rng.uniform(-1, 1, 2), np.eye(3, dtype=bool)[t % 3] | np.eye(3, dtype=bool)[t // 3 % 3]
        action = agent.act(observation, action_mask=mask)
        assert mask[action]
        assert agent.act(observation, action_mask=mask) == action
        following = np.roll(mask, 1)
        agent.observe(float(action), observation, False, False, action_mask=following)
        assert following[agent.act(observation)]
        only = np.eye(3, dtype=np.int8)[(t + 1) % 3]
        assert agent.act(observation, action_mask=only) == (t + 1) % 3  # chosen again
        assert agent.predict(observation, action_mask=only)[0] == (t + 1) % 3
        agent.observe(0.0, observation, False, t % 20 == 19, action_mask=[0, 0, 0] if t % 20 == 19 else None)


@pytest.mark.parametrize("mode", MODES)
def test_masks_take_no_part_and_the_rest_sums_to_1(mode):
    agent = cart(mode=mode).learn(400)
    observations = np.random.default_rng(0).normal(size=(20, 4))
    free = agent.probabilities(observations)
    masks = np.tile([1, 0], (20, 1))
    assert_allclose(agent.probabilities(observations, action_mask=masks), masks)
    assert_array_equal(agent.predict(observations, action_mask=masks)[0], 0)
    assert_allclose(agent.probabilities(observations, action_mask=np.ones((20, 2))), free)
    several = DynLiveAgent(Seating(pairs=True), seed=0, mode=mode).learn(300)
    chairs, cushions = several.probabilities(np.array([1] * 5 + [0]), action_mask=[0, 1, 1, 0, 1, 1, 0])
    assert_array_equal(chairs[[0, 3]], 0)
    assert_array_equal(cushions, [1, 0])
    assert chairs.sum() == pytest.approx(1)
    tuples = several.probabilities(np.array([1] * 5 + [0]), action_mask=(np.array([0, 1, 1, 0, 1]), np.array([1, 0])))
    assert_array_equal(chairs, tuples[0])


def test_remembered_probabilities_are_those_of_what_was_done():
    """As often as it is remembered, whatever mixes: the policy, uniform actions, repeated ones."""
    rng = np.random.default_rng(0)
    forbidden = np.array([False, True, False, False, True])
    output = rng.uniform(size=5).astype(np.float32)
    random = np.array([1, 2, 3, 4], np.uint64)
    for uniform, repeated, repeat_probability in ((0.0, 0, 0.0), (0.3, 2, 0.5), (1.0, 1, 0.7)):
        counts, probabilities = np.zeros(5), np.full(5, np.nan)
        for _ in range(4000):
            memory, action = new_experience(1, 4, as_singles(1), 1), np.zeros((1, 1), np.int64)
            memory.rows[0] = 1
            repeat = np.array([[[repeated, repeat_probability]]], float)
            call_sample_action(
                output, np.array([0, 5]), 4.0, uniform, False, 64.0, memory, 0, repeat, action, np.zeros((1, 0)), forbidden,
                random,
            )  # fmt: skip
            counts[action[0, 0]] += 1
            probabilities[action[0, 0]] = memory.probability[0, 0, 0]
        assert_array_equal(counts[forbidden], 0)
        assert np.nansum(probabilities) == pytest.approx(1, abs=1e-5)
        assert_allclose(counts[~forbidden] / 4000, probabilities[~forbidden], atol=0.03)


@pytest.mark.parametrize("natural", [False, True], ids=["gradient", "natural gradient"])
def test_credit_is_as_if_masked_actions_were_not_there(natural):
    rng = np.random.default_rng(1)
    settings = AgentConfig().settings()
    settings["natural_gradient"] = natural
    output = rng.uniform(size=(2, 5, 6)).astype(np.float32)
    advantage, log_target = rng.normal(size=(5, 6)).astype(np.float32), np.log(rng.dirichlet(np.ones(5), 6)).T
    kept = np.array([0, 2, 3])
    forbidden = np.ones((6, 5), bool)
    forbidden[:, kept] = False

    def credit(output, advantage, log_target, forbidden):
        result = np.zeros_like(output)
        offsets = np.array([0, output.shape[1]])
        rows = np.arange(6)
        call_credit_policy(output, rows, offsets, advantage, log_target, forbidden, settings, 0.2, 1.5, 3.0, result)
        return result[1]

    masked = credit(output, advantage, log_target, forbidden)
    less = [np.ascontiguousarray(part) for part in (output[:, kept], advantage[kept], log_target[kept])]
    assert_allclose(masked[kept], credit(*less, np.zeros((6, 3), bool)), rtol=1e-6)
    assert_array_equal(np.delete(masked, kept, axis=0), 0)


@pytest.mark.parametrize("mode", MODES)
def test_masks_are_kept_in_files(tmp_path, mode):
    agent = DynLiveAgent(Seating(), seed=0, mode=mode).learn(402)
    agent.save(tmp_path / "agent")
    loaded = DynLiveAgent.load(tmp_path / "agent", env=Seating())
    assert_same_state(agent.get_state(), loaded.get_state())
    assert loaded.learn(300).interaction.learner.is_masked
    more = DynLiveAgent.load(tmp_path / "agent", env=SyncVectorEnv([Seating] * 3)).learn(300)
    assert more.interaction.learner.is_masked
    state = agent.get_state()
    state["forbidden"] = np.ones_like(state["forbidden"])
    refused("'forbidden' must leave an action of every component", agent.set_state, state)


@pytest.mark.parametrize("mode", MODES)
def test_without_masks_nothing_is_kept_of_them(mode):
    agent, told = own(mode=mode), own(mode=mode)
    feed(agent, 300, seed=1)
    assert not any("forbidden" in name for name in agent.get_state())
    if mode == "rehearsal":
        assert experience(agent).forbidden.size == 0
    told.interaction.learner.begin_masking()
    assert feed(told, 300, seed=1) == feed(own(mode=mode), 300, seed=1)  # what allows all changes nothing
    but = [name for name in told.get_state() if "forbidden" in name]
    assert_same_state({**agent.get_state(), **{name: 0 for name in but}}, told.get_state(), but=but)
    told.set_state(agent.get_state())
    assert not told.interaction.learner.is_masked


def test_masks_are_refused_in_a_sentence():
    agent = own()
    none = "action_mask must allow at least one action, but it allows none"
    refused(none, agent.act, [0, 0], action_mask=[0, 0, 0])
    refused("action_mask must be 3 flags, 1 for an allowed action, not [1, 0]", agent.act, [0, 0], action_mask=[1, 0])
    wrong = "action_mask must be 3 flags, 1 for an allowed action, not [1, 2, 0]"
    refused(wrong, agent.predict, [0, 0], action_mask=[1, 2, 0])
    refused(none + " in environment 1", agent.predict, np.zeros((2, 2)), action_mask=[[1, 1, 1], [0, 0, 0]])
    several = "action_mask must be 3 flags, 1 for an allowed action for each of 2 environments, not [1, 1, 1]"
    refused(several, agent.predict, np.zeros((2, 2)), action_mask=[1, 1, 1])
    pairs = DynLiveAgent(observation_space=Box(-1, 1, (1,)), action_space=MultiDiscrete([2, 2]), seed=0)
    refused(none.replace(",", " of component 1,"), pairs.act, [0.0], action_mask=[1, 0, 0, 0])
    agent.act([0, 0], action_mask=[1, 0, 0])
    before = agent.get_state()
    refused(none, agent.observe, 0.0, [0, 0], False, False, action_mask=[0, 0, 0])
    assert_same_state(before, agent.get_state())
    agent.observe(0.0, [0, 0], False, False)

    class Stuck(Seating):
        def step(self, action):
            observation, reward, _, _, info = super().step(action)
            return observation, reward, False, False, info

    with pytest.raises(
        ValueError, match=r"^in step 5, action_mask must allow at least one action, but it allows none$"
    ):
        DynLiveAgent(Stuck(), seed=0).learn(20)


def test_masks_of_some_environments_alone():
    forbidden = forbidden_actions([None, (np.array([1, 0]), np.array([0, 1]))], (2, 2), 2)
    assert_array_equal(forbidden, [[False] * 4, [False, True, True, False]])
    assert_array_equal(
        forbidden_actions([[0, 0], [0, 1]], (2,), 2, np.array([True, True])), [[False] * 2, [True, False]]
    )
