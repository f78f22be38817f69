"""Spaces: what the network reads and chooses, and back."""

import json
from inspect import signature

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Sequence, Text, Tuple
from gymnasium.vector.utils import concatenate, create_empty_array
from numpy.testing import assert_array_equal

from dynlive_rl import DynLiveAgent
from dynlive_rl.agents import ActionConfig, AgentConfig
from dynlive_rl.agents.actions import ActionDecoder
from dynlive_rl.agents.space_files import space_from_json, space_to_json
from dynlive_rl.agents.spaces import ObservationEncoder


def encoded(space, observation, rows=1):
    encoder = ObservationEncoder(space)
    written = np.full((rows, encoder.size), 7, np.float32)
    encoder.encode(observation, written)
    return written


# -- observations --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "space",
    [
        Box(-1, 1, (3,)),
        Box(-1e9, 1e9, (2, 3), np.float64),
        Box(0, 255, (2, 2, 2), np.uint8),
        Box(-5, 5, (4,), np.int32),
        Box(0, 1, ()),
    ],
)
def test_a_box_is_read_value_by_value(space):
    encoder = ObservationEncoder(space)
    assert encoder.size == int(np.prod(space.shape))
    assert encoder.scaled.tolist() == [1] * encoder.size
    space.seed(0)
    batch = np.array([space.sample() for _ in range(4)])
    assert_array_equal(encoded(space, batch[0]), batch[0].reshape(1, -1).astype(np.float32))
    assert_array_equal(encoded(space, batch, rows=4), batch.reshape(4, -1).astype(np.float32))
    assert encoder.batch_size(batch[0]) is None
    assert encoder.batch_size(batch) == 4


def test_a_discrete_observation_is_one_hot():
    space = Discrete(4, start=-1)
    encoder = ObservationEncoder(space)
    assert (encoder.size, encoder.scaled.tolist()) == (4, [0] * 4)
    assert encoded(space, -1).tolist() == [[1, 0, 0, 0]]
    assert encoded(space, np.int64(2)).tolist() == [[0, 0, 0, 1]]
    assert encoded(space, [0, -1, 2], rows=3).tolist() == [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]]
    assert encoder.batch_size([0, 1]) == 2
    assert encoder.batch_size(0) is None


@pytest.mark.parametrize(
    ("space", "observation", "row", "scaled"),
    [
        (MultiDiscrete([2, 3], start=[0, 5]), [1, 5], [0, 1, 1, 0, 0], [0] * 5),
        (MultiDiscrete([[2], [3]]), [[0], [2]], [1, 0, 0, 0, 1], [0] * 5),
        (MultiBinary(3), [1, 0, 1], [1, 0, 1], [0] * 3),
        (MultiBinary((2, 2)), [[1, 0], [0, 0]], [1, 0, 0, 0], [0] * 4),
        (Dict({"b": Discrete(2), "a": Box(-1, 1, (2,))}), {"a": [0.5, -1], "b": 1}, [0.5, -1, 0, 1], [1, 1, 0, 0]),
        (Tuple([Discrete(2), Box(0, 9, (), np.int8)]), (0, 7), [1, 0, 7], [0, 0, 1]),
        (
            Dict({"in": Tuple([MultiBinary(1), Dict({"deep": Discrete(2, start=3)})]), "out": Discrete(2)}),
            {"in": ([1], {"deep": 4}), "out": 0},
            [1, 0, 1, 1, 0],
            [0] * 5,
        ),
    ],
    ids=str,
)
def test_all_parts_are_read(space, observation, row, scaled):
    encoder = ObservationEncoder(space)
    assert encoder.scaled.tolist() == scaled
    assert encoded(space, observation).tolist() == [row]
    assert encoder.batch_size(observation) is None


SPACES = [
    Box(-1, 1, (2, 3)),
    Discrete(3, start=-1),
    MultiDiscrete([2, 3], start=[0, 5]),
    MultiBinary((2, 2)),
    Dict({"b": Discrete(2), "a": Box(-1, 1, (2,))}),
    Tuple([Discrete(2), Box(0, 9, (), np.int8), MultiBinary(2)]),
    Dict({"in": Tuple([MultiBinary(1), Dict({"deep": Discrete(2, start=3)})]), "out": Box(0, 255, (2, 2), np.uint8)}),
]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_a_batch_is_many_single_observations(space):
    space.seed(0)
    observations = [space.sample() for _ in range(5)]
    batch = concatenate(space, observations, create_empty_array(space, 5))
    encoder = ObservationEncoder(space)
    assert encoder.batch_size(batch) == 5
    assert encoder.batch_size(observations[0]) is None
    alone = np.concatenate([encoded(space, observation) for observation in observations])
    assert_array_equal(encoded(space, batch, rows=5), alone)
    agent = DynLiveAgent(observation_space=space, action_space=Discrete(3), seed=0)
    assert agent.predict(batch, deterministic=True)[0].tolist() == [
        int(agent.predict(observation, deterministic=True)[0]) for observation in observations
    ]
    for observation in observations:
        agent.act(observation)
        agent.observe(1.0, observation, True, False)


@pytest.mark.parametrize(
    ("observation", "message"),
    [
        (0, r"^the observation 0 does not fit the space Dict\("),
        ({"in": (0, [1, 0])}, r"^the observation {'in': .*} does not fit the space Dict\("),
        ({"in": (0, [1, 0]), "other": [0.0]}, r"^the observation {'in': .*} does not fit the space Dict\("),
        ({"in": [0], "out": [0.0]}, r"^the observation's part \['in'\], \[0\] does not fit the space Tuple\("),
        (
            {"in": (2, [1, 0]), "out": [0.0]},
            r"^the observation's part \['in'\]\[0\], 2 does not fit the space Discrete",
        ),
        ({"in": (1, [2, 0]), "out": [0.0]}, r"part \['in'\]\[1\], \[2, 0\] does not fit the space MultiBinary\(2\)$"),
        ({"in": (1, [1, 0]), "out": [0.0, 1.0]}, r"part \['out'\], \[0.0, 1.0\] does not fit the space Box\("),
    ],
    ids=str,
)
def test_the_part_that_does_not_fit_is_named(observation, message):
    space = Dict({"in": Tuple([Discrete(2), MultiBinary(2)]), "out": Box(-1, 1, (1,))})
    with pytest.raises(ValueError, match=message):
        encoded(space, observation)


@pytest.mark.parametrize("observation", [-2, 3, 0.5, np.nan, "left", None, [0, 1]])
def test_what_is_no_state_is_refused(observation):
    with pytest.raises(ValueError, match=r"^the observation .* does not fit the space Discrete\(4, start=-1\)$"):
        encoded(Discrete(4, start=-1), observation)


@pytest.mark.parametrize("observation", [[1.0], np.zeros((3, 3)), "left", None, [[1, 2, 3], [4, 5]]])
def test_what_fits_no_box_is_refused(observation):
    with pytest.raises(ValueError, match=r"(?s)^the observation .* does not fit the space Box\("):
        encoded(Box(-1, 1, (2, 3)), observation)


@pytest.mark.parametrize("space", [Text(3), Sequence(Discrete(2)), Dict({"a": Tuple([Text(3)])})], ids=str)
def test_other_observation_spaces_are_refused(space):
    with pytest.raises(ValueError, match=r"^observations must be Box, .* of these, not (Text|Seq).*: wrap the environ"):
        ObservationEncoder(space)


@pytest.mark.parametrize("space", [Box(0, 1, (0,)), Dict({}), Tuple([])], ids=str)
def test_an_empty_observation_space_is_refused(space):
    with pytest.raises(ValueError, match=r"is empty: there is nothing to see$"):
        ObservationEncoder(space)


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        (Box(0, 1, (2,)), ["x[0]", "x[1]"]),
        (Box(0, 1, ()), ["x"]),
        (Discrete(2, start=3), ["x = 3", "x = 4"]),
        (MultiDiscrete([2, 1]), ["x[0] = 0", "x[0] = 1", "x[1] = 0"]),
        (Dict({"a": Box(0, 1, (1, 2)), "b": Tuple([MultiBinary(1)])}), ["a[0,0]", "a[0,1]", "b[0][0]"]),
    ],
    ids=str,
)
def test_inputs_have_names(space, expected):
    encoder = ObservationEncoder(space)
    assert encoder.names == expected
    assert len(encoder.names) == encoder.size


# -- actions -------------------------------------------------------------------------------------------------------

ACTIONS = [
    (Discrete(3), (3,)),
    (Discrete(3, start=5), (3,)),
    (MultiDiscrete([2, 3, 4]), (2, 3, 4)),
    (MultiDiscrete([[2, 3], [4, 5]], dtype=np.int32), (2, 3, 4, 5)),
    (MultiDiscrete([2, 3], start=[-1, 10]), (2, 3)),
    (MultiBinary(4), (2,) * 4),
    (MultiBinary((2, 2)), (2,) * 4),
    (Box(-1, 1, (2,)), (3,) * 2),
    (Box(np.float32([[0, 1, 2], [3, 4, 5]]), np.float32([[1, 2, 3], [9, 9, 9]])), (3,) * 6),
    (Box(0, 255, (2, 3), np.uint8), (3,) * 6),
    (Box(-3, 4, (1,), np.int64), (3,)),
]


@pytest.mark.parametrize(("space", "num_actions"), ACTIONS, ids=str)
def test_every_choice_is_an_action_of_the_space(space, num_actions):
    decoder = ActionDecoder(space, 3)
    assert decoder.num_actions == num_actions
    rng = np.random.default_rng(0)
    choices = np.array([rng.integers(0, num_actions) for _ in range(40)])
    choices[0], choices[1] = 0, np.array(num_actions) - 1
    actions = decoder.decode(choices)
    assert len(actions) == 40
    for choice, action in zip(choices, actions, strict=True):
        assert space.contains(action)
        one = decoder.decode_one(choice)
        assert space.contains(one)
        assert_array_equal(one, action)


@pytest.mark.parametrize(
    ("space", "choices", "action"),
    [
        (Discrete(3, start=5), [2], 7),
        (MultiDiscrete([2, 3], start=[-1, 10]), [1, 2], [0, 12]),
        (MultiBinary((2, 2)), [0, 1, 1, 0], [[0, 1], [1, 0]]),
        (Box(np.float32([-1, 0]), np.float32([1, 5])), [0, 2], [-1, 5]),
        (Box(np.float32([-1, 0]), np.float32([1, 5])), [1, 1], [0, 2.5]),
        (Box(0, 10, (3,), np.int16), [0, 1, 2], [0, 5, 10]),
    ],
    ids=str,
)
def test_choices_mean_what_they_should(space, choices, action):
    assert_array_equal(ActionDecoder(space, 3).decode_one(np.array(choices)), action)


@pytest.mark.parametrize("space", [Box(-np.inf, 1, (2,)), Box(0, np.inf, (1,))])
def test_actions_without_bounds_are_refused(space):
    with pytest.raises(ValueError, match=r"^continuous actions must have finite bounds, not Box.*: rescale them"):
        ActionDecoder(space, 3)


@pytest.mark.parametrize("space", [Dict({"a": Discrete(2)}), Tuple([Discrete(2)]), Text(3)])
def test_other_action_spaces_are_refused(space):
    with pytest.raises(ValueError, match=r"^actions must be Discrete, MultiDiscrete, MultiBinary or Box, not "):
        ActionDecoder(space, 3)


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        (Discrete(2, start=1), ["action 1", "action 2"]),
        (MultiDiscrete([2, 3]), [*(f"action[0] = {k}" for k in range(2)), *(f"action[1] = {k}" for k in range(3))]),
        (MultiBinary(1), ["action[0] = 0", "action[0] = 1"]),
        (Box(-2, 2, (1,)), ["action[0] = -2", "action[0] = 0", "action[0] = 2"]),
    ],
    ids=str,
)
def test_actions_have_names(space, expected):
    decoder = ActionDecoder(space, 3)
    assert decoder.names == expected
    assert len(decoder.names) == sum(decoder.num_actions)


@pytest.mark.parametrize(
    ("values", "expected"),
    [(2, [-1, 3]), (3, [-1, 0, 3]), (4, [-1, 0, float(np.float32(5 / 3)), 3]), (5, [-1, 0, 1, 2, 3])],
)
def test_a_continuous_component_is_one_of_so_many_values(values, expected):
    decoder = ActionDecoder(Box(-1, 3, (1,)), values)
    assert decoder.num_actions == (values,)
    assert decoder.decode(np.arange(values)[:, None]).ravel().tolist() == pytest.approx(expected)
    config = AgentConfig(actions=ActionConfig(values_per_component=values))
    agent = DynLiveAgent(observation_space=Discrete(2), action_space=Box(-1, 3, (1,)), seed=0, config=config)
    assert {agent.predict(0)[0].item() for _ in range(200)} == set(expected)


def test_an_empty_action_space_is_refused():
    with pytest.raises(ValueError, match=r"is empty: there is nothing to choose$"):
        ActionDecoder(Box(0, 1, (0,)), 3)


@pytest.mark.parametrize(("space", "num_actions"), ACTIONS, ids=str)
def test_the_agent_acts_in_the_space(space, num_actions):
    agent = DynLiveAgent(observation_space=Discrete(2), action_space=space, seed=0)
    for _ in range(3):
        assert space.contains(agent.act(0))
        agent.observe(0.5, 0, True, False)
    action, _ = agent.predict(1)
    assert np.shape(action) == (space.shape or ())
    actions, _ = agent.predict([0, 1, 1])
    assert all(space.contains(one) for one in actions)


# -- keeping them --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "space",
    [space for space, _ in ACTIONS]
    + [
        Box(-np.inf, np.inf, (3,)),
        Box(np.float64([0.1, -np.inf]), np.float64([0.3, 5]), dtype=np.float64),
        Box(np.iinfo(np.int64).min, np.iinfo(np.int64).max, (2,), np.int64),
        *([Discrete(4, dtype=np.int32)] if "dtype" in signature(Discrete).parameters else []),
        *SPACES,
    ],
    ids=str,
)
def test_a_space_comes_back_from_a_file(space):
    back = space_from_json(json.loads(json.dumps(space_to_json(space))))
    assert back == space
    assert back.dtype == space.dtype
    if isinstance(space, gym.spaces.Box):
        assert_array_equal(back.low, space.low, strict=True)
        assert_array_equal(back.high, space.high, strict=True)


def test_the_ends_of_whole_number_actions_are_exact():
    ends = np.iinfo(np.int64)
    decoder = ActionDecoder(Box(ends.min, ends.max, (2,), np.int64), 3)
    low, middle, high = decoder.decode(np.array([[0, 0], [1, 1], [2, 2]]))
    assert low.tolist() == [ends.min] * 2
    assert high.tolist() == [ends.max] * 2
    assert np.abs(middle).max() < 2**12
    assert low.dtype == np.int64
