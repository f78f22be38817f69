"""The protocol: when evaluations are due, when a run has solved its task, and what else its curve says."""

import dataclasses
from itertools import pairwise
from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("scipy")
import baselines
import compare
import protocol


@pytest.fixture
def course(monkeypatch):
    """Make a course on CartPole with made-up evaluations, due every 100 steps at first, and walk through it."""

    def walk(means, budget=1_000, may_stop=False, stride=1):
        remaining = iter(means)
        monkeypatch.setattr(protocol, "play", lambda *_, **__: SimpleNamespace(mean=next(remaining)))
        entry = protocol.Entry(lambda *_: {}, budget, protocol.fine_grid, may_stop)
        made = protocol.Course("CartPole-v1", entry, budget, episodes=1)
        made.begin()
        steps = 0
        while not made.over:
            steps += stride
            made.passed(steps, None)
        return made.result()

    return walk


def run_of(steps, means, *, env="CartPole-v1", budget=None, **more):
    return {"env": env, "budget": budget or steps[-1], "curve": {"steps": list(steps), "mean": list(means), **more}}


def test_evaluations_are_due_on_the_protocols_grids():
    fine, coarse = protocol.fine_grid(40_000), protocol.coarse_grid(100_000)
    assert fine[:2] == [100, 200]
    assert fine[28:31] == [2_900, 3_000, 3_500]
    assert fine[-10:] == [19_500, *range(20_000, 40_001, 2_500)]
    assert coarse[:2] == [1_000, 2_000]
    assert coarse[38:42] == [39_000, 40_000, 45_000, 50_000]
    assert protocol.fine_grid(1_050)[-2:] == [1_000, 1_050]
    assert protocol.fine_grid(50) == [50]


# -- solved ------------------------------------------------------------------------------------------------------------


def solved_naively(steps, means, threshold):
    """Say where a curve has solved its task, read off the rule word by word."""
    for k, start in enumerate(steps):
        next_2000 = [j for j in range(k, len(steps)) if steps[j] <= start + 2_000]
        at_least_three = list(range(k, k + 3))
        seen = steps[-1] >= start + 2_000 and k + 3 <= len(steps)
        if seen and all(means[j] >= threshold for j in {*next_2000, *at_least_three}):
            return k
    return None


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(st.sampled_from([100, 500, 992, 1_000, 2_500]), st.sampled_from([0.0, 475.0, 500.0, 500.0, 500.0])),
        max_size=30,
    )
)
def test_solved_is_where_every_evaluation_of_the_next_2000_steps_and_at_least_three_reach_the_threshold(curve):
    steps = np.cumsum([stride for stride, _ in curve], dtype=int).tolist()
    means = [mean for _, mean in curve]
    assert protocol.first_solved(steps, means, 475.0) == solved_naively(steps, means, 475.0)


def test_a_dip_within_2000_steps_puts_off_the_solution_however_often_one_evaluates():
    steps = [*range(100, 3_000, 100), *range(3_000, 8_001, 500)]
    for dip, solved in ((1_500, 1_600), (2_100, 2_200), (2_200, 100)):  # 2,100 is within the next 2,000 steps of 100
        means = [500.0 if at != dip else 400.0 for at in steps]
        assert steps[protocol.first_solved(steps, means, 475.0)] == solved


def test_where_evaluations_are_far_apart_three_of_them_count():
    steps = list(range(2_500, 25_001, 2_500))
    assert protocol.first_solved(steps, [500, 500, 0, 500, 500, 500, 0, 0, 0, 0], 475.0) == 3
    assert protocol.first_solved(steps, [500, 500, 0, 500, 500, 0, 0, 0, 0, 500], 475.0) is None


@pytest.mark.parametrize(("last", "solved"), [(3_500, True), (3_499, False), (2_000, False)])
def test_a_curve_that_ends_before_2000_steps_have_passed_shows_no_solution(last, solved):
    steps = [*range(1_500, last, 100), last]
    found = protocol.first_solved([1_000, *steps], [0.0] + [500.0] * len(steps), 475.0)
    assert found == (1 if solved else None)


def test_nor_does_one_of_fewer_than_three_evaluations():
    assert protocol.first_solved([5_000, 10_000], [500, 500], 475.0) is None
    assert protocol.first_solved([], [], 475.0) is None


# -- what else a curve says --------------------------------------------------------------------------------------------


def test_stays_counts_every_dip_from_the_first_evaluation_at_the_threshold_on():
    steps = range(1_000, 11_000, 1_000)
    result = protocol.outcome(run_of(steps, [9, 500, 9, 500, 475, 500, 400, 500, 480, 500], wall_s=[*range(10)]))
    assert result.solved
    assert (result.steps, result.seconds, result.cpu_seconds) == (4_000, 3, None)
    assert result.stays == pytest.approx(7 / 9)
    assert result.final == 500
    assert not result.stopped_early


def test_a_run_that_never_solves_counts_as_its_budget_and_all_of_its_seconds():
    steps = range(1_000, 5_000, 1_000)
    result = protocol.outcome(run_of(steps, [9, 500, 9, 9], wall_s=[1.0, 2.0, 3.0, 4.0], cpu_s=[0.5, 1.0, 1.5, 2.0]))
    assert result == (False, 4_000, 4.0, 2.0, 1 / 3, 9, False)
    assert protocol.outcome(run_of([1_000], [9])).stays is None


def test_how_long_a_run_stays_that_stopped_early_is_not_known():
    result = protocol.outcome(run_of([1_000, 2_000, 3_000], [500, 500, 500], budget=90_000))
    assert (result.solved, result.steps, result.stays, result.stopped_early) == (True, 1_000, None, True)


def test_cpu_seconds_between_two_readings_pass_as_wall_clock_seconds_do():
    steps, walls = range(1_000, 7_000, 1_000), [1.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    means = [0, 0, 500, 500, 500, 500]
    read = protocol.outcome(run_of(steps, means, wall_s=walls, cpu_s=[None, 1.0, None, None, None, 5.0]))
    assert read.cpu_seconds == pytest.approx(1.0 + (4 - 2) * 4 / 8)
    read = protocol.outcome(run_of(steps, means, wall_s=walls, cpu_s=[None] * 5 + [5.0]))
    assert read.cpu_seconds == pytest.approx(2.0)


def test_columns_are_named():
    rows = [protocol.Evaluation(100, 9.0, 0.1, 0.05), protocol.Evaluation(200, 10.0, 0.2, 0.1)]
    assert protocol.columns(rows) == {
        "steps": [100, 200], "mean": [9.0, 10.0], "wall_s": [0.1, 0.2], "cpu_s": [0.05, 0.1],
    }  # fmt: skip


# -- a course ----------------------------------------------------------------------------------------------------------


def test_a_run_holds_what_was_measured_and_nothing_that_follows_from_it(course):
    result = course([9, 500, 500, 9, 500, 475, 500, 400, 500, 480])
    assert set(result) == {"env", "budget", "curve", "evaluation_episodes", "compile_s"}
    assert result["curve"]["steps"] == [*range(100, 1_001, 100)]
    assert result["curve"]["mean"][:3] == [9, 500, 500]
    assert all(0 <= early <= late for early, late in pairwise(result["curve"]["wall_s"]))
    assert len(result["curve"]["cpu_s"]) == 10


def test_a_run_may_stop_as_soon_as_it_has_solved_its_task(course):
    lucky = [9, *[500] * 5, 9]  # five in a row in 500 steps, which do not last
    result = course([*lucky, *[500] * 99], budget=20_000, may_stop=True)
    assert protocol.outcome(result)[:2] == (True, 800)
    assert result["curve"]["steps"][-1] == 2_800
    assert protocol.outcome(result).stopped_early
    result = course([*lucky, *[500] * 99], budget=20_000)
    assert result["curve"]["steps"][-1] == 20_000


def test_a_run_that_dips_before_2000_steps_have_passed_goes_on(course):
    result = course([500] * 20 + [9] + [500] * 99, budget=20_000, may_stop=True)
    assert protocol.outcome(result).steps == 2_200
    assert result["curve"]["steps"][-1] == 4_500  # the first evaluation after 4,200


def test_a_learner_in_large_strides_is_evaluated_where_it_first_can_be(course):
    assert course(range(9, 99), stride=256)["curve"]["steps"] == [256, 512, 768, 1024]


def test_evaluation_stops_the_clocks(monkeypatch):
    clock = iter(range(1_000))
    monkeypatch.setattr(protocol.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(protocol, "play", lambda *_, **__: [next(clock) for _ in range(50)] and SimpleNamespace(mean=0))
    made = protocol.Course("CartPole-v1", protocol.Entry(lambda *_: {}, 300, protocol.fine_grid), 300, episodes=1)
    made.begin()
    for steps in (100, 200, 300):
        made.passed(steps, None)
    assert made.result()["curve"]["wall_s"] == [1, 2, 3]


def test_evaluating_changes_nothing_that_is_learned():
    pytest.importorskip("stable_baselines3")
    entry = compare.ENTRIES["CartPole-v1", "ppo"]
    finals = []
    for grid in (lambda budget: [budget], lambda budget: [*range(50, budget, 50), budget]):
        made = protocol.Course("CartPole-v1", dataclasses.replace(entry, grid=grid), 1_000, episodes=20)
        entry.train("CartPole-v1", 0, made)
        finals.append(protocol.outcome(made.result()).final)
    assert finals[0] == finals[1]


def test_normalised_baselines_are_evaluated_with_their_statistics_as_they_stand():
    sb3 = pytest.importorskip("stable_baselines3")
    util = pytest.importorskip("stable_baselines3.common.env_util")
    vec = pytest.importorskip("stable_baselines3.common.vec_env")
    env = vec.VecNormalize(util.make_vec_env("MountainCar-v0", 2, seed=0))
    model = sb3.PPO("MlpPolicy", env, n_steps=16, batch_size=32, device="cpu", seed=0).learn(64)
    seen = np.array([[-0.5, 0.01], [0.3, -0.02]], np.float32)
    mean, var = env.obs_rms.mean.copy(), env.obs_rms.var.copy()
    actions, _ = baselines.Normalised(model).predict(seen)
    expected, _ = model.predict(((seen - mean) / np.sqrt(var + 1e-8)).astype(np.float32), deterministic=True)
    assert (actions == expected).all()
    assert (env.obs_rms.mean == mean).all()


def test_every_task_is_registered():
    assert all(env_id in gym.registry for env_id in protocol.TASKS)
