"""The agent's kernels against slow, obvious twins: values, Retrace, and what value and action neurons are rewarded with."""

from itertools import pairwise
from math import sqrt

import numpy as np
import pytest
from numpy.testing import assert_allclose

from calls import call_credit_policy, call_credit_values, call_read_values, call_retrace
from dynlive_rl.agents import AgentConfig
from dynlive_rl.agents.kernels.experience import Experience, RowKind
from dynlive_rl.agents.kernels.progress import new_progress

pytestmark = pytest.mark.plain

LAYOUTS = {"one component": (3,), "two components": (2, 3)}


def random_experience(rng, rows, num_actions):
    d = len(num_actions)
    return Experience(
        observation=np.zeros((1, rows, 1), np.float32),
        byte=np.zeros((1, rows, 0), np.uint8),
        option=np.zeros((1, rows, 0), np.int32),
        action=np.stack([rng.integers(0, n, (1, rows)) for n in num_actions], axis=2).astype(np.int32),
        probability=rng.uniform(0.05, 1.0, (1, rows, d)).astype(np.float32),
        reward=rng.normal(size=(1, rows)).astype(np.float32),
        kind=rng.choice(
            [RowKind.STEP, RowKind.STEP, RowKind.STEP, RowKind.STEP, RowKind.TERMINATED, RowKind.TRUNCATED], (1, rows)
        ).astype(np.int8),
        forbidden=np.zeros((1, rows, 0), np.bool_),
        rows=np.array([rows]),
    )


def softmax(logits):
    exponentials = np.exp(logits - logits.max())
    return exponentials / exponentials.sum()


def random_policy(rng, num_actions, columns):
    return np.vstack([np.stack([softmax(rng.normal(size=n)) for _ in range(columns)], axis=1) for n in num_actions])


def retrace_by_hand(experience, starts, width, num_actions, values, policy, bonus, gamma, trace_decay, clip, delay):
    """Return {(segment, t): (target, advantages by component)}, one step at a time as the equations say."""
    newest = experience.rows[0] - 1
    parts = np.split(np.arange(sum(num_actions)), np.cumsum(num_actions)[:-1])
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
            until = row + delay
            if (experience.kind[0, row : until + 1] != RowKind.STEP).any() or (delay and until >= newest):
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
            target = experience.reward[0, until] + bonus[s * width + t] + gamma * future
            differences, errors = [], []
            for part, a, p in zip(parts, experience.action[0, row], experience.probability[0, row], strict=True):
                column = s * width + t
                differences.append((values[part, column] - policy[part, column] @ values[part, column]) / len(parts))
                errors.append(np.where(np.arange(part.size) == a, min(clip, 1 / p) * (target - predicted(t)), 0))
            found[s, t] = target, differences, errors
    share = share_by_hand(found, [[policy[part, s * width + t] for part in parts] for s, t in found])
    return {
        place: (target, [own + share * error for own, error in zip(differences, errors, strict=True)])
        for place, (target, differences, errors) in found.items()
    }


def share_by_hand(found, policies):
    """Return the share of an error that every component is credited with, from {place: (target, differences, errors)}."""

    def variance(rows):
        each = [
            chances @ (x - chances @ x) ** 2
            for row, of in zip(rows, policies, strict=True)
            for x, chances in zip(row, of, strict=True)
        ]
        return np.mean(each)

    own, residual = (variance([parts[i] for parts in found.values()]) for i in (1, 2))
    return min(max(16 * own / residual, 1 / len(policies[0])), 1)


@pytest.mark.parametrize("delay", [0, 1])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("num_actions", "spread"), [
    ((3,), 1.0), ((3,), 0.01), ((2, 3), 1.0), ((2, 3), 0.01), ((3, 3, 2, 2), 0.4), ((3, 3, 2, 2), 0.01),
])  # fmt: skip
def test_retrace_agrees_with_its_equations(num_actions, spread, seed, delay):
    rng = np.random.default_rng(seed)
    settings, optimisation = AgentConfig().settings(), AgentConfig().optimisation
    width, starts, columns = 12, [0, 7, 20], 36
    experience = random_experience(rng, 40, num_actions)
    values = rng.normal(size=(sum(num_actions), columns), scale=spread).astype(np.float32)
    policy, bonus = random_policy(rng, num_actions, columns), spread * rng.normal(size=columns)
    out = (
        np.zeros(columns, np.float32), np.zeros((sum(num_actions), columns), np.float32),
        np.zeros((len(num_actions), columns), np.int64), np.zeros(columns, np.int64),
    )  # fmt: skip
    progress = new_progress()
    progress["reward_delay"] = delay
    progress["lowest_reward"], progress["highest_reward"], base = seed, seed + 1, max(seed - 3, 0)
    where = np.array([[0] * 3, starts])
    action_offsets = np.cumsum([0, *num_actions])
    count = call_retrace(experience, action_offsets, where, width, values, policy, bonus, 0.97, settings, out, progress)
    expected = retrace_by_hand(
        experience._replace(reward=experience.reward - base),
        starts,
        width,
        num_actions,
        values,
        policy,
        bonus,
        0.97,
        optimisation.trace_decay,
        optimisation.importance_clip,
        delay,
    )
    target, advantage, chosen, sampled = out
    assert sorted(sampled[:count]) == sorted(s * width + t for s, t in expected)
    squares = []
    for (s, t), (wanted, advantages) in expected.items():
        column = s * width + t
        assert target[column] == pytest.approx(wanted, abs=2e-5)
        assert_allclose(advantage[:, column], np.concatenate(advantages), atol=2e-5)
        assert_allclose(chosen[:, column] - action_offsets[:-1], experience.action[0, starts[s] + t])
        squares.append(0.0)
        for d, part in enumerate(advantages):
            chance = policy[action_offsets[d] : action_offsets[d + 1], column]
            squares[-1] += chance @ (part - chance @ part) ** 2 / len(num_actions)
    assert progress["advantage_scale"][0] == pytest.approx(sqrt(np.mean(squares)), rel=1e-4)
    assert progress["target_variance"][0] == pytest.approx(np.var([pair[0] for pair in expected.values()]), rel=1e-3)


def test_where_no_reward_has_come_yet_there_is_nothing_to_learn():
    rng = np.random.default_rng(0)
    experience, progress = random_experience(rng, 20, (2,)), new_progress()
    experience.kind[:] = RowKind.STEP
    progress["reward_delay"] = 12
    values, policy = rng.normal(size=(2, 12)).astype(np.float32), random_policy(rng, (2,), 12)
    out = np.zeros(12, np.float32), np.zeros((2, 12), np.float32), np.zeros((1, 12), np.int64), np.zeros(12, np.int64)
    arguments = (
        np.array([0, 2]),
        np.array([[0], [8]]),
        12,
        values,
        policy,
        np.zeros(12),
        0.97,
        AgentConfig().settings(),
        out,
        progress,
    )
    assert call_retrace(experience, *arguments) == 0
    assert progress["advantage_scale"] == 0
    assert call_retrace(experience._replace(rows=np.array([22])), *arguments) == 1


@pytest.mark.parametrize("natural", [False, True], ids=["gradient", "natural gradient"])
@pytest.mark.parametrize("num_actions", LAYOUTS.values(), ids=LAYOUTS)
def test_action_neurons_are_rewarded_with_the_gradient_of_what_is_wanted(num_actions, natural):
    rng = np.random.default_rng(0)
    settings, optimisation = AgentConfig().settings(), AgentConfig().optimisation
    settings["policy_gain"], settings["natural_gradient"] = 1.0, natural
    action_offsets, columns, entropy, scale, limit = np.cumsum([0, *num_actions]), 4, 0.2, 1.5, 0.9
    output = rng.normal(size=(2, sum(num_actions), columns)).astype(np.float32)
    advantage = rng.normal(size=(sum(num_actions), columns)).astype(np.float32) * 4  # some beyond the clip
    log_target = np.log(random_policy(rng, num_actions, columns))
    credit = np.zeros((2, sum(num_actions), columns), np.float32)
    unmasked = np.zeros((columns, sum(num_actions)), np.bool_)
    call_credit_policy(
        output,
        np.arange(columns),
        action_offsets,
        advantage,
        log_target,
        unmasked,
        settings,
        entropy,
        scale,
        limit,
        credit,
    )

    def wanted(logits, b):
        """Expected advantage, plus the policy's entropy, less its divergence from the target policy."""
        whole = 0.0
        for start, stop in pairwise(action_offsets):
            policy = softmax(logits[start:stop])
            gains = np.clip(advantage[start:stop, b] / scale, -limit, limit)
            whole += policy @ (
                gains
                - entropy * np.log(policy)
                - optimisation.kl_coefficient * (np.log(policy) - log_target[start:stop, b])
            )
        return whole

    for b in range(columns):
        logits = output[1, :, b].astype(float)
        slopes = [
            (wanted(logits + 1e-5 * e, b) - wanted(logits - 1e-5 * e, b)) / 2e-5 for e in np.eye(sum(num_actions))
        ]
        if natural:  # unlikely actions get updates as large as likely ones
            for start, stop in pairwise(action_offsets):
                credit[1, start:stop, b] *= (stop - start) * softmax(logits[start:stop])
        assert_allclose(credit[1, :, b], slopes, atol=1e-5)


def test_value_neurons_are_rewarded_with_the_clipped_error_of_what_was_chosen():
    output = np.zeros((2, 5, 3), np.float32)
    output[1] = [[0.6, 0.5, 0.5], [0.1, 0.1, 0.1], [0.5, 0.7, 0.5], [0.9, 0.9, 0.9], [0.5, 0.5, 0.4]]
    chosen = np.array([[0, 0, 0], [4, 2, 4]])  # of two components, with the output neurons 0, 1 and 2, 3, 4
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
    ("rewards", "least", "most"),
    [
        ((1.0, 1.0), 0, 20),
        ((-1.0, 0.0), -20, 0),
        ((-2.0, 3.0), -40, 60),
        ((-101.0, -100.0), -80, 0),
        ((50.0, 52.0), 0, 160),
    ],
)
def test_no_value_is_beyond_what_the_rewards_seen_could_add_up_to(rewards, least, most):
    progress = new_progress()
    progress["lowest_reward"], progress["highest_reward"] = rewards
    output = np.zeros((2, 1, 3), np.float32)
    output[1, 0] = [0.0, 0.51, 1.0]
    values = np.zeros((1, 3))
    call_read_values(output, 500.0, 0.5, progress, 0.95, 0.0, values)
    assert_allclose(values, [[least, np.clip(5.0, least, most), most]], rtol=1e-5)
    call_read_values(output, 500.0, 0.5, progress, 0.95, 0.25, values)  # what novelty may pay, for ever
    assert_allclose(values, [[least - 5, np.clip(5.0, least - 5, most + 5), most + 5]], rtol=1e-5)
