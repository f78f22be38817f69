"""What nothing can be learned from: one sentence with the value and the step, or a counted skip; and the agent goes on."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete, Tuple
from gymnasium.vector import SyncVectorEnv

from dynlive_rl import DynLiveAgent, LearningRule, Network, NetworkBuilder
from dynlive_rl.agents import CellConfig, LiveOptimisationConfig, OptimisationConfig, RehearsalConfig
from helpers import assert_same_state, assert_strengths_are_shares, cart, own
from networks import refused

MODES = ("rehearsal", "live")
GOOD = np.float32([0.5, 0.5])
SPACE = "Box(-1.0, 1.0, (2,), float32)"


class Tensor:
    """As a tensor that needs gradients."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")

    def __repr__(self):
        return "tensor(1., requires_grad=True)"


def step(observation=GOOD, reward=1.0, terminated=False, truncated=False):
    return lambda: (observation, reward, terminated, truncated, {})


def fails():
    raise OSError("gone")


class World(gym.Env):
    """Episodes of 10 good steps, but for step number `at` of its life, and reset number 3."""

    observation_space, action_space = Box(-1, 1, (2,)), Discrete(2)

    def __init__(self, at=None, step=None, reset=None):
        self.at, self.bad_step, self.bad_reset, self.steps, self.resets = at, step, reset, 0, 0

    def reset(self, *, seed=None, options=None):
        self.resets, self.time = self.resets + 1, 0
        return self.bad_reset() if self.bad_reset and self.resets == 3 else (GOOD, {})

    def step(self, action):
        self.steps, self.time = self.steps + 1, self.time + 1
        return self.bad_step() if self.steps == self.at else (GOOD, 1.0, self.time == 10, False, {})


NOT_NUMBERS = "must be numbers within ±1e30, not"
STEPS = {
    "NaN": (step(np.float32([0, np.nan])), f"observations {NOT_NUMBERS} nan; nothing was learned from it"),
    "infinity": (step(np.float32([-np.inf, 0])), f"observations {NOT_NUMBERS} -inf; nothing was learned from it"),
    "huge": (step(np.float32([1e35, 0])), f"observations {NOT_NUMBERS} 1.0000000409184788e+35; nothing was learned from it"),
    "shape": (step(np.zeros(3, np.float32)), f"the observation {np.zeros(3, np.float32)!r} does not fit the space {SPACE}"),
    "number": (step(0.5), f"the observation 0.5 does not fit the space {SPACE}"),
    "text": (step("left"), f"the observation 'left' does not fit the space {SPACE}"),
    "nothing": (step(None), f"the observation None does not fit the space {SPACE}"),
    "texts": (step(np.array(["a", "b"])), f"the observation {np.array(['a', 'b'])!r} does not fit the space {SPACE}"),
    "objects": (step(np.array([0, None])), f"the observation {np.array([0, None])!r} does not fit the space {SPACE}"),
    "complex": (step(np.array([1j, 0])), f"the observation {np.array([1j, 0])!r} does not fit the space {SPACE}"),
    "complexes": (step([1j, 0]), f"the observation [1j, 0] does not fit the space {SPACE}"),
    "dictionary": (step({"x": 0}), f"the observation {{'x': 0}} does not fit the space {SPACE}"),
    "beyond 2⁶³": (step([2**64, 2**70]), f"the observation [{2**64}, {2**70}] does not fit the space {SPACE}"),
    "tensor": (step(Tensor()), f"the observation {Tensor()!r} does not fit the space {SPACE}"),
    "reward NaN": (step(reward=float("nan")), f"rewards {NOT_NUMBERS} nan; nothing was learned from it"),
    "reward 1e300": (step(reward=1e300), f"rewards {NOT_NUMBERS} 1e+300; nothing was learned from it"),
    "reward -1e300": (step(reward=-1e300), f"rewards {NOT_NUMBERS} -1e+300; nothing was learned from it"),
    "reward infinite": (step(reward=-np.inf), f"rewards {NOT_NUMBERS} -inf; nothing was learned from it"),
    "reward None": (step(reward=None), "reward must be a number, not None"),
    "reward text": (step(reward="1.0"), "reward must be a number, not '1.0'"),
    "reward complex": (step(reward=1 + 2j), "reward must be a number, not (1+2j)"),
    "reward row": (step(reward=np.ones(1)), "reward must be a number, not array([1.])"),
    "reward beyond": (step(reward=2**70), f"reward must be a number, not {2**70}"),
    "reward tensor": (step(reward=Tensor()), f"reward must be a number, not {Tensor()!r}"),
    "end None": (step(terminated=None), "terminated must be True or False, not None"),
    "end text": (step(terminated="no"), "terminated must be True or False, not 'no'"),
    "end list": (step(truncated=[]), "truncated must be True or False, not []"),
    "end NaN": (step(truncated=float("nan")), "truncated must be True or False, not nan"),
    "end half": (step(truncated=0.5), "truncated must be True or False, not 0.5"),
    "old step": (lambda: (0, 1.0, False, {}), "step must return observation, reward, terminated, truncated and info, "
                 "not (0, 1.0, False, {})"),
    "no step": (lambda: None, "step must return observation, reward, terminated, truncated and info, not None"),
    "bare": (lambda: GOOD, f"step must return observation, reward, terminated, truncated and info, not {GOOD!r}"),
}  # fmt: skip
RESETS = {
    "NaN": (lambda: (np.float32([0, np.nan]), {}), STEPS["NaN"][1]),
    "shape": (lambda: (np.zeros(3), {}), f"the observation {np.zeros(3)!r} does not fit the space {SPACE}"),
    "complex": (lambda: ([1j, 0], {}), STEPS["complexes"][1]),
    "bare": (lambda: GOOD, f"reset must return an observation and an info, a dict, not {GOOD!r}"),
    "pair": (lambda: (0.5, 0.5), "reset must return an observation and an info, a dict, not (0.5, 0.5)"),
    "nothing": (lambda: None, "reset must return an observation and an info, a dict, not None"),
}
FAULTS = [(World, {"at": 25, "step": fault}, f"in step 25, {why}") for fault, why in STEPS.values()]
FAULTS += [(World, {"reset": fault}, f"in step 21, {why}") for fault, why in RESETS.values()]
NAMES = [*STEPS, *(f"reset {name}" for name in RESETS)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("world", "settings", "message"), FAULTS, ids=NAMES)
def test_a_fault_is_one_sentence_and_learning_goes_on(mode, world, settings, message):
    agent, states = DynLiveAgent(world(**settings), seed=0, mode=mode), []
    refused(message, agent.learn, 100, callback=lambda report: states.append(report.agent.get_state()))
    began = {"experience.rows", "action", "random"} if "reset" in settings else set()
    assert_same_state(agent.get_state(), states[-1], but=began | {name for name in states[-1] if name in began})
    assert agent.num_timesteps == len(states) == int(message.split()[2].strip(",")) - 1
    assert agent.skipped == 0
    assert agent.learn(100).num_timesteps == 100
    assert agent.episodes == 12
    assert_strengths_are_shares(agent)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("world", "settings", "message"), FAULTS, ids=NAMES)
def test_a_fault_can_be_skipped(mode, world, settings, message, caplog):
    agent = DynLiveAgent(world(**settings), seed=0, mode=mode, on_bad_input="skip").learn(100)
    assert (agent.num_timesteps, agent.skipped) == (100, 1)
    (record,) = caplog.records
    assert record.message == f"skipped, 1 so far: {message.replace(', ', ', BadInputError: ', 1)}"
    assert_strengths_are_shares(agent)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("settings", [{"at": 25, "step": fails}, {"reset": fails}])
def test_what_an_environment_raises_comes_with_the_step(mode, settings):
    agent = DynLiveAgent(World(**settings), seed=0, mode=mode)
    with pytest.raises(OSError, match=r"^gone") as caught:
        agent.learn(100)
    (note,) = caught.value.__notes__
    assert note == f"in step {25 if 'at' in settings else 21} of learning; nothing was learned from it"
    assert agent.learn(100).episodes == 12
    skipping = DynLiveAgent(World(**settings), seed=0, mode=mode, on_bad_input="skip").learn(100)
    assert skipping.skipped == 1


def test_an_environment_that_brings_nothing_else_is_an_error_all_the_same():
    class Broken(World):
        def step(self, action):
            return GOOD, float("nan"), False, False, {}

    agent = DynLiveAgent(Broken(), seed=0, on_bad_input="skip")
    message = f"in step 1, rewards {NOT_NUMBERS} nan; nothing was learned from it"
    refused(message, agent.learn, 10)
    assert agent.skipped == 100
    refused("on_bad_input must be 'raise' or 'skip', not 'ignore'", own, on_bad_input="ignore")


@pytest.mark.parametrize("mode", MODES)
def test_episodes_may_end_at_once(mode):
    class Short(World):
        def step(self, action):
            return GOOD, 1.0, True, True, {}

    agent = DynLiveAgent(Short(), seed=0, mode=mode).learn(200)
    assert agent.episodes == 200
    assert_strengths_are_shares(agent)


@pytest.mark.parametrize("mode", MODES)
def test_spaces_stay_what_they_are(mode):
    agent = DynLiveAgent(World(), seed=0, mode=mode).learn(15)
    agent.env.action_space = Discrete(3)
    message = "this agent was trained with Discrete(2), but the environment has Discrete(3)"
    refused(message, agent.learn, 10)
    agent.env.action_space = Discrete(2)
    agent.learn(10)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("fault", ["NaN", "reward 1e300"])
def test_side_by_side_a_fault_is_everyones(mode, fault):
    worlds = [World, lambda: World(20, STEPS[fault][0])]
    agent = DynLiveAgent(SyncVectorEnv(worlds, autoreset_mode="SameStep"), seed=0, mode=mode)
    with pytest.raises(ValueError, match=r"^in step 39, "):
        agent.learn(100)
    assert agent.num_timesteps == 38
    agent.learn(100)
    skipping = DynLiveAgent(SyncVectorEnv(worlds, autoreset_mode="SameStep"), seed=0, mode=mode, on_bad_input="skip")
    assert skipping.learn(100).skipped == 1


@pytest.mark.parametrize("mode", MODES)
def test_in_a_loop_of_ones_own_a_fault_can_be_skipped_too(mode):
    agent = own(mode=mode, on_bad_input="skip")
    agent.act([0, 0])
    before = agent.get_state()
    agent.observe(float("nan"), [0, 0], False, False)
    assert_same_state(agent.get_state(), before, but=["ended"])
    assert (agent.skipped, agent.num_timesteps) == (1, 0)
    agent.act([0, 0])
    agent.observe(1.0, [0, 0], False, False)


@pytest.mark.parametrize("mode", MODES)
def test_a_list_of_tuples_is_no_tuple(mode):
    space = Tuple([Box(-1, 1, (1,)), Box(-1, 1, (1,))])
    agent = DynLiveAgent(observation_space=space, action_space=Discrete(2), seed=0, mode=mode)
    ones, zeros = np.ones(1, np.float32), np.zeros(1, np.float32)
    agent.act((ones, zeros))
    assert agent.predict((np.ones((2, 1)), np.zeros((2, 1))))[0].shape == (2,)
    for several in ([(ones, zeros), (zeros, ones)], [ones, zeros]):
        refused(f"the observation {several!r} does not fit the space {space}", agent.predict, several)


@pytest.mark.parametrize(
    ("answer", "steps"),
    [
        (False, 1),
        (np.False_, 1),
        (np.array(False), 1),
        (None, 3),
        (0, 3),
        ("", 3),
        ([], 3),
        (True, 3),
        (np.zeros(2), 3),
    ],
    ids=repr,
)
def test_callbacks_end_learning_with_false_alone(answer, steps):
    assert cart(mode="live").learn(3, callback=lambda report: answer).num_timesteps == steps


def test_callbacks_are_functions():
    message = "callback must be a function of a report, a callback of stable-baselines3 or a list of these, not 1"
    refused(message, cart(mode="live").learn, 3, callback=[1], error=TypeError)


# -- numbers are refused where they are given --------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1.0, "1", True, -1, np.float64(2), None])
def test_seeds_are_whole_numbers(seed):
    if seed is None:
        return
    message = f"seed must be a whole number ≥ 0, not {seed!r}"
    net = Network.layered(inputs=2, outputs=1, seed=0)
    refused(message, own, seed=seed)
    refused(message, cart(mode="live").evaluate, 1, seed=seed)
    refused(message, NetworkBuilder, seed)
    refused(message, net.cut, 0.1, seed=seed)
    refused(message, net.fit, [[0, 0]], [0], seed=seed)


def test_whole_numbers_are_below_2_to_63():
    refused(f"seed must be a whole number below 2⁶³, not {2**63}", own, seed=2**63)
    message = f"total_timesteps must be a whole number below 2⁶³, not {2**64}"
    refused(message, cart(mode="live").learn, 2**64)
    refused(f"cells must be at most 2⁶², not {2**62 + 1}", CellConfig, cells=2**62 + 1)
    refused(f"memory must be at most 2⁶², not {2**70}", RehearsalConfig, memory=2**70)
    refused(f"mature must be a whole number below 2⁶³, not {2**63}", LearningRule, mature=2**63)
    assert own(seed=2**63 - 1).seed == 2**63 - 1


@pytest.mark.parametrize("rate", [1e39, 1e300])
def test_rates_are_what_single_precision_holds(rate):
    refused(f"actor_rate must be at most 3.4e38, not {rate!r}", LiveOptimisationConfig, actor_rate=rate)
    refused(f"critic_rate must be at most 3.4e38, not {rate!r}", OptimisationConfig, critic_rate=rate)
    refused(f"learning_rate must be a finite number > 0, not {rate!r}", LearningRule, learning_rate=rate)
