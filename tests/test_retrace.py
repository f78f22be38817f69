"""The agent's kernels against slow, obvious twins: values, Retrace, and what value and action neurons are rewarded with."""

from itertools import pairwise
from math import sqrt

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.wrappers import TransformReward
from numba import njit
from numpy.testing import assert_allclose

from dynlive_rl import DynLiveAgent
from dynlive_rl.agents import AgentConfig
from dynlive_rl.agents.kernels import progress, retrace
from dynlive_rl.agents.kernels.experience import Experience, RowKind

LAYOUTS = {"one choice": (3,), "two choices": (2, 3)}


# The kernels' own functions have no wrapper to be called by: these do it.
@njit
def call_retrace(experience, choices, where, width, values, policy, gamma, settings, out, tracked):
    target, advantage, chosen, sampled = out
    return retrace.retrace(
        experience, choices, where, width, values, policy, gamma, settings, target, advantage, chosen, sampled, tracked
    )


@njit
def call_credit_policy(output, batch, choices, advantage, slow_log_policy, settings, entropy, scale, credit):
    retrace.credit_policy(output, 0, batch, choices, advantage, slow_log_policy, settings, entropy, scale, credit)


@njit
def call_credit_values(output, batch, chosen, target, scale, gain, clip, neutral, credit):
    return retrace.credit_values(output, 0, batch, chosen, target, scale, gain, clip, neutral, credit)


@njit
def call_read_values(output, gain, neutral, tracked, gamma, values):
    retrace.read_values(output, 0, gain, neutral, tracked, gamma, values)


def random_experience(rng, rows, options):
    d = len(options)
    return Experience(
        observation=np.zeros((1, rows, 1), np.float32),
        action=np.stack([rng.integers(0, n, (1, rows)) for n in options], axis=2).astype(np.int32),
        probability=rng.uniform(0.05, 1.0, (1, rows, d)).astype(np.float32),
        reward=rng.normal(size=(1, rows)).astype(np.float32),
        kind=rng.choice(
            [RowKind.STEP, RowKind.STEP, RowKind.STEP, RowKind.STEP, RowKind.TERMINATED, RowKind.TRUNCATED], (1, rows)
        ).astype(np.int8),
        rows=np.array([rows]),
    )


def softmax(logits):
    exponentials = np.exp(logits - logits.max())
    return exponentials / exponentials.sum()


def random_policy(rng, options, columns):
    return np.vstack([np.stack([softmax(rng.normal(size=n)) for _ in range(columns)], axis=1) for n in options])


def retrace_by_hand(experience, starts, width, options, values, policy, gamma, trace_decay, clip):
    """Return {(segment, t): (target, advantages by choice)}, one step at a time as the equations say."""
    parts = np.split(np.arange(sum(options)), np.cumsum(options)[:-1])
    found = {}
    for s, start in enumerate(starts):

        def worth(t, s=s):
            column = s * width + t
            return np.mean([policy[part, column] @ values[part, column] for part in parts])

        def predicted(t, s=s, start=start):
            actions = experience.action[0, start + t]
            return np.mean([values[part[a], s * width + t] for part, a in zip(parts, actions, strict=True)])

        for t in reversed(range(width - 1)):
            row = start + t
            if experience.kind[0, row] != RowKind.STEP:
                continue
            following = experience.kind[0, row + 1]
            future = 0.0 if following == RowKind.TERMINATED else worth(t + 1)
            if (s, t + 1) in found:
                ratio = np.prod(
                    [
                        policy[part[a], s * width + t + 1] / p
                        for part, a, p in zip(
                            parts, experience.action[0, row + 1], experience.probability[0, row + 1], strict=True
                        )
                    ]
                )
                future += trace_decay * min(1.0, ratio) * (found[s, t + 1][0] - predicted(t + 1))
            target = experience.reward[0, row] + gamma * future
            advantages = []
            for part, a, p in zip(parts, experience.action[0, row], experience.probability[0, row], strict=True):
                column = s * width + t
                own = (values[part, column] - policy[part, column] @ values[part, column]) / len(parts)
                own[a] += min(clip, 1 / p) * (target - predicted(t))
                advantages.append(own)
            found[s, t] = target, advantages
    return found


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("options", LAYOUTS.values(), ids=LAYOUTS)
def test_retrace_agrees_with_its_equations(options, seed):
    rng = np.random.default_rng(seed)
    settings = AgentConfig().settings()
    width, starts, columns = 12, [0, 7, 20], 36
    experience = random_experience(rng, 40, options)
    values = rng.normal(size=(sum(options), columns)).astype(np.float32)
    policy = random_policy(rng, options, columns)
    out = (
        np.zeros(columns, np.float32), np.zeros((sum(options), columns), np.float32),
        np.zeros((len(options), columns), np.int64), np.zeros(columns, np.int64),
    )  # fmt: skip
    tracked = np.zeros(progress.TRACKED)
    where = np.array([[0] * 3, starts])
    choices = np.cumsum([0, *options])
    count = call_retrace(experience, choices, where, width, values, policy, 0.97, settings, out, tracked)
    expected = retrace_by_hand(
        experience, starts, width, options, values, policy, 0.97, settings.trace_decay, settings.importance_clip
    )
    target, advantage, chosen, sampled = out
    assert sorted(sampled[:count]) == sorted(s * width + t for s, t in expected)
    square = 0.0
    for (s, t), (wanted, advantages) in expected.items():
        column = s * width + t
        assert target[column] == pytest.approx(wanted, abs=2e-5)
        assert_allclose(advantage[:, column], np.concatenate(advantages), atol=2e-5)
        assert_allclose(chosen[:, column] - choices[:-1], experience.action[0, starts[s] + t])
        for d, part in enumerate(advantages):
            chance = policy[choices[d] : choices[d + 1], column]
            square += chance @ (part - chance @ part) ** 2 / len(options) / len(expected)
    assert tracked[progress.ADVANTAGE_SCALE] == pytest.approx(sqrt(square), rel=1e-4)
    assert tracked[progress.TARGET_VARIANCE] == pytest.approx(np.var([pair[0] for pair in expected.values()]), rel=1e-3)


@pytest.mark.parametrize("cells", [False, True], ids=["gradient", "natural gradient"])
@pytest.mark.parametrize("options", LAYOUTS.values(), ids=LAYOUTS)
def test_action_neurons_are_rewarded_with_the_gradient_of_what_is_wanted(options, cells):
    rng = np.random.default_rng(0)
    settings = AgentConfig().settings()._replace(policy_gain=1.0, cells=cells)
    choices, columns, entropy, scale = np.cumsum([0, *options]), 4, 0.2, 1.5
    output = rng.normal(size=(2, sum(options), columns)).astype(np.float32)
    advantage = rng.normal(size=(sum(options), columns)).astype(np.float32) * 4  # some beyond the clip
    slow = np.log(random_policy(rng, options, columns))
    credit = np.zeros((2, sum(options), columns), np.float32)
    call_credit_policy(output, np.arange(columns), choices, advantage, slow, settings, entropy, scale, credit)

    def wanted(logits, b):
        """Expected advantage, plus the policy's entropy, less its divergence from the slow one."""
        whole = 0.0
        for start, stop in pairwise(choices):
            policy = softmax(logits[start:stop])
            gains = np.clip(advantage[start:stop, b] / scale, -settings.advantage_clip, settings.advantage_clip)
            whole += policy @ (
                gains - entropy * np.log(policy) - settings.anchor * (np.log(policy) - slow[start:stop, b])
            )
        return whole

    for b in range(columns):
        logits = output[1, :, b].astype(float)
        slopes = [(wanted(logits + 1e-5 * e, b) - wanted(logits - 1e-5 * e, b)) / 2e-5 for e in np.eye(sum(options))]
        if cells:  # as loud for an option that the policy has given up as for any other
            for start, stop in pairwise(choices):
                credit[1, start:stop, b] *= (stop - start) * softmax(logits[start:stop])
        assert_allclose(credit[1, :, b], slopes, atol=1e-5)


def test_value_neurons_are_rewarded_with_the_clipped_error_of_what_was_chosen():
    output = np.zeros((2, 5, 3), np.float32)
    output[1] = [[0.6, 0.5, 0.5], [0.1, 0.1, 0.1], [0.5, 0.7, 0.5], [0.9, 0.9, 0.9], [0.5, 0.5, 0.4]]
    chosen = np.array([[0, 0, 0], [4, 2, 4]])  # of choices with the options 0, 1 and 2, 3, 4
    target = np.array([10.0, 0.0, -500.0], np.float32)
    credit = np.zeros((2, 5, 3), np.float32)
    square = call_credit_values(output, np.arange(3), chosen, target, 10.0, 8.0, 2.0, 0.5, credit)
    errors = np.array([1 - 8 * 0.1 / 2, 0 - 8 * 0.2 / 2, -50 + 8 * 0.1 / 2])
    assert square == pytest.approx(np.mean(errors**2), rel=1e-5)
    expected = np.zeros((5, 3))
    for b, error in enumerate(np.clip(errors, -2, 2)):
        expected[chosen[:, b], b] = error
    assert_allclose(credit[1], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("rewards", "least", "most"), [((1.0, 1.0), 0, 20), ((-1.0, 0.0), -20, 0), ((-2.0, 3.0), -40, 60)]
)
def test_no_value_is_beyond_what_the_rewards_seen_could_add_up_to(rewards, least, most):
    tracked = np.zeros(progress.TRACKED)
    tracked[progress.LEAST_REWARD], tracked[progress.MOST_REWARD] = min(0, *rewards), max(0, *rewards)
    output = np.zeros((2, 1, 3), np.float32)
    output[1, 0] = [0.0, 0.51, 1.0]
    values = np.zeros((1, 3))
    call_read_values(output, 500.0, 0.5, tracked, 0.95, values)
    assert_allclose(values, [[least, np.clip(5.0, least, most), most]], rtol=1e-5)


def test_the_range_of_rewards_is_kept_track_of():
    agent = DynLiveAgent(TransformReward(gym.make("CartPole-v1"), lambda reward: reward - 3.0), seed=0).learn(50)
    assert agent._learner.tracked(progress.LEAST_REWARD) == -2.0
    assert agent._learner.tracked(progress.MOST_REWARD) == 0.0
