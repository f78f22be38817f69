"""Does it learn? Tiny environments of known best return, and CartPole; seeds are fixed, margins generous."""

from copy import deepcopy

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit
from numba import njit

from dynlive_rl import DynLiveAgent
from dynlive_rl.agents import AgentConfig
from dynlive_rl.agents.kernels import progress
from dynlive_rl.agents.kernels.experience import RowKind
from dynlive_rl.envs import Cycle, changing_cartpole
from worlds import Bandit, Corridor, Telling


def best_return(agent, env, limit=200):
    """Return of one episode of the agent's best actions."""
    observation, _ = env.reset()
    whole = 0.0
    for _ in range(limit):
        action, _ = agent.predict(observation, deterministic=True)
        observation, reward, terminated, truncated, _ = env.step(action)
        whole += reward
        if terminated or truncated:
            break
    return whole


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    ("space", "best"),
    [
        (Discrete(5, start=2), 4),
        (MultiDiscrete([3, 4]), [2, 1]),
        (MultiBinary(3), [1, 0, 1]),
        (Box(np.float32([-1, 0]), np.float32([1, 4])), [1, 2]),
    ],
    ids=["Discrete", "MultiDiscrete", "MultiBinary", "Box"],
)
def test_the_best_arm_of_a_bandit_is_found(space, best, seed):
    agent = DynLiveAgent(Bandit(space, best), seed=seed).learn(1500)
    np.testing.assert_array_equal(agent.predict(0, deterministic=True)[0], best)


TELLING = [
    (Box(-1, 1, (2,)), lambda seen: seen[0] > 0),
    (Box(0, 255, (2, 2), np.uint8), lambda seen: seen[1, 1] > 127),
    (Box(-1e6, 1e6, (), np.float64), lambda seen: seen < 0),
    (Box(-1e-7, 1e-7, (2,), np.float64), lambda seen: seen[1] > 0),
    (Discrete(4, start=-1), lambda seen: seen > 0),
    (MultiDiscrete([3, 2]), lambda seen: seen[1] == 0),
    (MultiBinary(3), lambda seen: seen[1]),
    (Dict({"a": Box(-1, 1, (1,)), "b": Discrete(3)}), lambda seen: seen["b"] == 1),
    (Tuple([Discrete(2), MultiBinary(2)]), lambda seen: seen[1][0]),
    (Dict({"in": Tuple([Discrete(3), Dict({"deep": Box(-5, 5, (1,))})])}), lambda seen: seen["in"][1]["deep"][0] > 0),
]
TINY = AgentConfig(hidden=32)


def share_of_right_answers(agent, space, answer):
    space.seed(10)
    seen = [space.sample() for _ in range(100)]
    return np.mean([agent.predict(one, deterministic=True)[0] == answer(one) for one in seen])


@pytest.mark.parametrize(("space", "answer"), TELLING, ids=[str(space) for space, _ in TELLING])
def test_what_an_observation_tells_is_learned(space, answer):
    agent = DynLiveAgent(Telling(space, answer), seed=0, config=TINY).learn(1500)
    assert share_of_right_answers(agent, space, answer) >= 0.9


@pytest.mark.parametrize("mode", list(AutoresetMode), ids=str)
def test_what_nested_observations_tell_is_learned_in_environments_side_by_side(mode):
    space, answer = TELLING[-1]
    environments = SyncVectorEnv([lambda: Telling(deepcopy(space), answer)] * 4, autoreset_mode=mode)
    agent = DynLiveAgent(environments, seed=0, config=TINY).learn(1500)
    assert share_of_right_answers(agent, space, answer) >= 0.9


@pytest.mark.parametrize("seed", [0, 1])
def test_a_corridor_is_walked_straight(seed):
    env = TimeLimit(Corridor(5, price=0.1), 50)
    agent = DynLiveAgent(env, seed=seed).learn(1500)
    assert best_return(agent, env) == pytest.approx(0.6)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_reward_far_away_is_found(seed):
    env = TimeLimit(Corridor(20), 100)
    agent = DynLiveAgent(env, seed=seed).learn(3000)
    assert best_return(agent, env, limit=60) == 1


@pytest.mark.parametrize("seed", [0, 1])
def test_cartpole_is_balanced(seed):
    agent = DynLiveAgent("CartPole-v1", seed=seed).learn(5000)
    assert agent.evaluate(20, seed=100).mean >= 400


class Swapped(gym.ActionWrapper):
    """CartPole's two actions, the other way round once `swap` is set."""

    swap = False

    def action(self, action):
        return 1 - action if self.swap else action


@njit
def judge_all(tracked, recent, returns, chosen):
    for episode_return in returns:
        tracked[progress.STEPS] += 100
        progress.judge_episode(tracked, recent, 100.0, episode_return, RowKind.TERMINATED, chosen)


def judged(returns, **settings):
    """What is tracked after episodes of 100 steps each with these returns."""
    tracked = np.zeros(progress.TRACKED)
    judge_all(tracked, np.zeros((2, 5)), np.array(returns, float), AgentConfig(**settings).settings())
    return tracked


MASTERED = [10, 20, 30, 40, 50, *[500] * 5]


def test_a_part_lost_after_contentment_makes_rates_start_again_once():
    tracked = judged([*MASTERED, 440, 430, 500])  # one of them was as good as ever
    assert tracked[progress.SETBACKS] == 0
    assert tracked[progress.WORLD] == 0
    tracked = judged([*MASTERED, *[440] * 5])
    assert tracked[progress.SETBACKS] == 1
    assert tracked[progress.COLLAPSES] == 0
    assert tracked[progress.WORLD] == 1_000  # when the first of the five began
    assert judged([*MASTERED, *[440] * 12])[progress.SETBACKS] == 1
    assert judged([*MASTERED, *[440] * 5, *[500] * 5, *[440] * 5])[progress.SETBACKS] == 2
    assert judged([*range(10, 510, 10), *[440] * 5])[progress.SETBACKS] == 0  # was never content


def test_what_is_not_made_good_in_time_is_another_world():
    assert judged([*MASTERED, *[440] * 15], established_steps=1_500)[progress.COLLAPSES] == 0
    assert judged([*MASTERED, *[440] * 16], established_steps=1_500)[progress.COLLAPSES] == 1
    assert judged([*MASTERED, *[440] * 8, *[500] * 20], established_steps=1_500)[progress.COLLAPSES] == 0


def test_most_of_what_was_mastered_lost_is_another_world_at_once():
    tracked = judged([*MASTERED, 300, 9, 9, 9, 9])
    assert tracked[progress.SETBACKS] == 1  # the first of them had begun in the world before
    assert tracked[progress.COLLAPSES] == 0
    tracked = judged([*MASTERED, 300, 9, 9, 9, 9, 9])
    assert tracked[progress.COLLAPSES] == 1
    assert tracked[progress.HIGHEST] == 9


@njit
def live_through(tracked, episodes, chosen):
    """Keep track of episodes (n, 3): their lengths, their returns (all at the last step) and how they end."""
    recent = np.zeros((2, 5))
    for length, episode_return, ending in episodes:
        running = np.zeros(3)
        for step in range(int(length)):
            last = step == int(length) - 1
            reward = episode_return if last else 0.0
            progress.keep_track(tracked, running, recent, reward, int(ending) if last else RowKind.STEP, chosen)


def tracked_through(*episodes):
    tracked = np.zeros(progress.TRACKED)
    live_through(tracked, np.array(episodes, float), AgentConfig().settings())
    return tracked


@njit
def discount_of(tracked):
    return progress.discount(tracked, 0.99, 0.998)


def test_much_is_tried_again_while_episodes_are_broken_off_below_the_best():
    crash, flight, best = (100, -100, RowKind.TERMINATED), (200, -50, RowKind.TRUNCATED), (200, 100, RowKind.TRUNCATED)
    assert tracked_through(crash, crash)[progress.TRIED] == 200
    assert tracked_through(crash, crash, best, crash)[progress.TRIED] == 500  # as good as ever
    assert tracked_through(crash, crash, best, flight, crash)[progress.TRIED] == 600 - 100
    assert tracked_through(crash, best, flight, flight, flight)[progress.TRIED] == 100
    assert tracked_through(crash, best, *[flight] * 5)[progress.TRIED] == 0
    assert tracked_through(best, *[flight] * 5)[progress.TRIED] == 1_200  # where none ever ends by itself


def test_discount_reaches_as_far_as_episodes_that_end_by_themselves():
    long, short = (1_000, -1, RowKind.TRUNCATED), (250, 1, RowKind.TERMINATED)
    assert discount_of(tracked_through(long, long)) == 0.99
    assert discount_of(tracked_through(long, short, long)) == pytest.approx(1 - 2 / 250)
    assert discount_of(tracked_through((10, 0, RowKind.TERMINATED))) == 0.99
    assert discount_of(tracked_through(*[(5_000, 0, RowKind.TERMINATED)] * 2)) == 0.998
    assert discount_of(tracked_through((1_000, 0, RowKind.TERMINATED), *[short] * 30)) == pytest.approx(
        1 - 2 / 250, abs=1e-4
    )


def test_live_mode_notices_another_world():
    agent = DynLiveAgent(changing_cartpole(swap=Cycle((0, 1), every=4_000)), mode="live", seed=0).learn(4_000)
    assert agent.worlds == 0
    assert agent.learn(1_000).worlds == 1


def test_in_another_world_neurons_are_born_again_and_the_dead_stay_dead():
    agent = DynLiveAgent(gym.make("CartPole-v1"), seed=0).learn(300)
    hidden = agent.actor.sources(agent.actor.output_ids[0])
    agent.actor.kill(hidden[:5])
    before = agent.actor.strengths(agent.actor.output_ids[0])
    agent._learner._be_born_again()
    for neuron in agent.actor.output_ids:
        assert not np.isin(hidden[:5], agent.actor.sources(neuron)).any()
        np.testing.assert_allclose(agent.actor.strengths(neuron), 1 / (hidden.size - 5), rtol=1e-5)
    assert before.std() > 0
    agent.learn(300)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_swapped_actions_are_relearned(seed):
    env = Swapped(gym.make("CartPole-v1"))
    agent = DynLiveAgent(env, seed=seed).learn(10_000)
    env.swap = True
    agent.learn(20_000)
    returns = []
    agent.learn(5_000, callback=lambda report: returns.extend(e.episode_return for e in report.finished))
    assert agent.worlds >= 1
    assert np.mean(returns) >= 250
