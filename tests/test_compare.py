"""The comparison: when a run has solved its task, who plays where, what run files add up to; and tiny runs of each kind."""

import dataclasses
import json
import math
from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import baselines
import compare
import figures
import protocol
import runs
from dynlive_rl import DynLiveAgent


def test_stable_baselines_evaluates_the_agent():
    evaluation = pytest.importorskip("stable_baselines3.common.evaluation")
    monitor = pytest.importorskip("stable_baselines3.common.monitor")
    agent = DynLiveAgent("CartPole-v1", seed=0).learn(400)
    env = monitor.Monitor(gym.make("CartPole-v1"))
    env.reset(seed=0)
    returns, lengths = evaluation.evaluate_policy(agent, env, n_eval_episodes=40, return_episode_rewards=True)
    own = agent.evaluate(40, seed=1)
    assert len(returns) == len(lengths) == 40
    assert returns == lengths
    margin = 4 * own.std / 40**0.5 + 5
    assert sum(returns) / 40 == pytest.approx(own.mean, abs=margin)


# -- the protocol ------------------------------------------------------------------------------------------------------


@pytest.fixture
def course(monkeypatch):
    """Make a course on CartPole with made-up evaluations, due every 100 steps, and walk through it."""

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


def test_evaluations_are_due_on_the_protocols_grids():
    fine, coarse = protocol.fine_grid(40_000), protocol.coarse_grid(100_000)
    assert fine[:2] == [100, 200]
    assert fine[28:31] == [2_900, 3_000, 3_500]
    assert fine[-10:] == [19_500, *range(20_000, 40_001, 2_500)]
    assert coarse[:2] == [1_000, 2_000]
    assert coarse[38:42] == [39_000, 40_000, 45_000, 50_000]
    assert protocol.fine_grid(1_050)[-2:] == [1_000, 1_050]
    assert protocol.fine_grid(50) == [50]


@given(st.lists(st.sampled_from([0.0, 475.0, 500.0]), max_size=12))
def test_solved_is_the_first_of_three_in_a_row(means):
    found = [k for k in range(len(means)) if len(means[k : k + 3]) == 3 and min(means[k : k + 3]) >= 475]
    assert protocol.first_solved(means, 475.0) == (found[0] if found else None)


def test_one_lucky_crossing_is_not_a_solution(course):
    result = course([9, 500, 500, 9, 500, 475, 500, 400, 500, 480])
    assert result["solved_at"] == 500
    assert result["stays_solved"] == pytest.approx(5 / 6, abs=1e-4)
    assert result["final"] == 480
    assert [point[:2] for point in result["curve"]][:3] == [(100, 9), (200, 500), (300, 500)]
    assert 0 <= result["solved_s"] <= result["learning_s"] + 0.01
    assert not result["stopped_early"]


def test_a_run_that_never_solves_is_kept_with_its_budget(course):
    result = course([9, 500, 500] * 3 + [9])
    assert (result["solved_at"], result["solved_s"], result["solved_cpu_s"], result["stays_solved"]) == (None,) * 4
    assert result["budget"] == 1_000
    assert len(result["curve"]) == 10


def test_a_run_may_stop_three_evaluations_after_solving(course):
    result = course([9, 500, 500, 500, 490, 9, 9, 9, 9, 9], may_stop=True)
    assert result["solved_at"] == 200
    assert result["stopped_early"]
    assert [point[1] for point in result["curve"]] == [9, 500, 500, 500, 490]
    assert result["stays_solved"] is None  # nobody knows


def test_a_learner_in_large_strides_is_evaluated_where_it_first_can_be(course):
    result = course(range(9, 99), stride=256)
    assert [point[0] for point in result["curve"]] == [256, 512, 768, 1024]


def test_evaluation_stops_the_clocks(monkeypatch):
    clock = iter(range(1_000))
    monkeypatch.setattr(protocol.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(protocol, "play", lambda *_, **__: [next(clock) for _ in range(50)] and SimpleNamespace(mean=0))
    made = protocol.Course("CartPole-v1", protocol.Entry(lambda *_: {}, 300, protocol.fine_grid), 300, episodes=1)
    made.begin()
    for steps in (100, 200, 300):
        made.passed(steps, None)
    assert [point[2] for point in made.result()["curve"]] == [1, 2, 3]


# -- who plays where ---------------------------------------------------------------------------------------------------


def test_every_baseline_of_the_protocol_has_settings():
    named = {
        "CartPole-v1": {"ppo", "dqn", "a2c", "ars", "qrdqn", "random-linear", "original-rule"},
        "Acrobot-v1": {"ppo", "dqn", "qrdqn"},
        "MountainCar-v0": {"ppo", "dqn", "qrdqn"},
        "LunarLander-v3": {"ppo", "dqn"},
        "Pendulum-v1": {"ppo", "sac"},
        "MountainCarContinuous-v0": {"ppo", "sac", "ars"},
    }
    for env_id, agents in named.items():
        assert {agent for env, agent in compare.ENTRIES if env == env_id and not agent.startswith("dynlive")} == agents
        assert (env_id, "dynlive") in compare.ENTRIES
    stopping = {key for key, entry in compare.ENTRIES.items() if entry.may_stop}
    assert stopping <= set(baselines.PUBLISHED_FINAL)


def test_agents_play_where_they_have_settings():
    both = compare.pairs(["CartPole-v1", "Pendulum-v1"], ["dynlive", "sac", "a2c"])
    assert both == [
        ("CartPole-v1", "dynlive"),
        ("CartPole-v1", "a2c"),
        ("Pendulum-v1", "dynlive"),
        ("Pendulum-v1", "sac"),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--agents", "sac"], "there are no settings for sac on CartPole-v1: it plays Pendulum-v1, MountainCar"),
        (
            ["--envs", "CartPole-v1", "Acrobot-v1", "--agents", "a2c"],
            "there are no settings for a2c on Acrobot-v1: it is",
        ),
        (["--agents", "td3"], "invalid choice: 'td3'"),
        (["--seeds", "5-1"], "seeds must be like 7, 0-29 or 0-9,20, not '5-1'"),
        (["--seeds", "few"], "seeds must be like 7, 0-29 or 0-9,20, not 'few'"),
        (["--jobs", "0"], "must be a whole number ≥ 1, not '0'"),
        (["--out", __file__], "cannot write into"),
    ],
)
def test_what_cannot_be_run_is_refused(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["compare.py", "--out", str(tmp_path), *arguments])
    try:
        status = compare.main()
    except SystemExit as error:
        status = error.code
    assert status == 2
    assert message in capsys.readouterr().err


def test_pairs_without_settings_are_left_out_and_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(compare, "study", lambda keys, *_: ran.extend(keys) or [])
    ran = []
    arguments = [
        "--envs",
        "CartPole-v1",
        "Pendulum-v1",
        "--agents",
        "ppo",
        "dqn",
        "--seeds",
        "3",
        "--out",
        str(tmp_path),
    ]
    monkeypatch.setattr("sys.argv", ["compare.py", *arguments])
    assert compare.main() == 0
    assert ran == [("CartPole-v1", "ppo", 3), ("CartPole-v1", "dqn", 3), ("Pendulum-v1", "ppo", 3)]
    assert "left out, for want of settings: dqn on Pendulum-v1" in capsys.readouterr().err


def test_seeds_are_ranges_and_lists():
    assert runs.seed_list("7") == [7]
    assert runs.seed_list("0-2,9") == [0, 1, 2, 9]


# -- what run files add up to ------------------------------------------------------------------------------------------


def run_file(agent, seed, solved_at, env="CartPole-v1", budget=20_000, **more):
    return {
        "env": env,
        "agent": agent,
        "seed": seed,
        "budget": budget,
        "threshold": protocol.TASKS[env].threshold,
        "solved_at": solved_at,
        "solved_s": None if solved_at is None else solved_at / 1_000,
        "solved_cpu_s": None if solved_at is None else solved_at / 2_000,
        "stays_solved": None if solved_at is None else 0.5,
        "final": 480.0 + seed,
        "stopped_early": False,
        "learning_s": budget / 1_000,
        "learning_cpu_s": budget / 2_000,
        "curve": [[100, 9.0, 0.1], [1_000, 490.0, 1.0], [budget, 500.0, 20.0]],
        **more,
    }


def test_the_summary_counts_runs_that_did_not_solve_as_their_budget():
    runs = [
        *(run_file("dynlive", seed, at) for seed, at in enumerate([900, 1_000, 1_100])),
        *(run_file("ppo", seed, at, budget=100_000) for seed, at in enumerate([20_000, None, 30_000])),
        *(run_file("dqn", seed, at, budget=50_000) for seed, at in enumerate([None, 40_000, None])),
    ]
    ours, ppo, dqn = figures.summary(runs)
    assert ours["steps"] == {"median": 1_000, "more": False}
    assert (ours["solved"], ours["stays_solved"], ours["final"]) == (1.0, 0.5, 481.0)
    assert ppo["steps"] == {"median": 30_000, "more": False}
    assert ppo["solved"] == pytest.approx(2 / 3, abs=1e-4)
    assert ppo["versus_ours"]["steps"] == {"times": 30, "bound": "exact"}
    assert ppo["versus_ours"]["seconds"] == {"times": 30, "bound": "exact"}
    assert dqn["steps"] == {"median": 50_000, "more": True}
    assert dqn["versus_ours"]["cpu_seconds"] == {"times": 50, "bound": "more"}
    low, high = ours["steps_iqm_interval"]
    assert 900 <= low < ours["steps_iqm"] < high <= 1_100
    text = figures.table([ours, ppo, dqn])
    assert ">50,000" in text
    assert "| 30,000 |" in text


def test_where_neither_solved_there_is_no_ratio_and_where_ours_did_not_it_is_a_bound():
    runs = [run_file("dynlive", 0, None), run_file("ppo", 0, 10_000), run_file("dqn", 0, None)]
    _, ppo, dqn = figures.summary(runs)
    assert ppo["versus_ours"]["steps"] == {"times": 0.5, "bound": "less"}
    assert dqn["versus_ours"]["steps"] is None


def test_runs_that_stopped_early_show_the_published_final():
    (row,) = figures.summary([run_file("sac", 0, 5_000, env="Pendulum-v1", stopped_early=True, stays_solved=None)])
    assert row["final"] == baselines.PUBLISHED_FINAL["Pendulum-v1", "sac"]
    assert row["stays_solved"] is None
    assert "-157.0 †" in figures.table([row])


def test_run_files_of_before_have_no_cpu_seconds():
    run = run_file("dynlive", 0, 900)
    del run["solved_cpu_s"], run["learning_cpu_s"], run["stopped_early"]
    (row,) = figures.summary([run])
    assert row["cpu_seconds"] is None
    assert row["seconds"]["median"] == 0.9


def test_the_interquartile_mean_leaves_out_the_outer_quarters():
    values = np.array([-1e9, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 1e9])
    assert figures.iqm(values) == 3.5
    low, high = figures.interval(np.stack([values, 2 * values], axis=1))
    assert low.shape == high.shape == (2,)
    assert (figures.interval(values[:1]) == -1e9).all()


def test_runs_that_ended_early_keep_their_last_evaluation():
    curve = figures.held([{"curve": [[100, 1.0, 0.0], [300, 3.0, 0.0]]}], np.array([100, 200, 300, 900]))
    assert curve.tolist() == [[1, 1, 3, 3]]


def test_the_table_alone_needs_nothing_but_run_files(tmp_path, monkeypatch, capsys):
    for run in [run_file("dynlive", 0, 900), run_file("dynlive", 1, 1_000), run_file("ppo", 0, None)]:
        (tmp_path / "{env}_{agent}_{seed}.json".format(**run)).write_text(json.dumps(run))
    monkeypatch.setattr("sys.argv", ["compare.py", "--table-only", "--out", str(tmp_path)])
    assert compare.main() == 0
    assert "| CartPole-v1 | dynlive | 2 | 950 |" in capsys.readouterr().out
    assert [row["agent"] for row in json.loads((tmp_path / "summary.json").read_text())] == ["dynlive", "ppo"]
    for name in ("learning_curves", "profiles"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "</svg>" in (tmp_path / f"{name}.svg").read_text()
    assert "learning_curves" not in (tmp_path / "table.md").read_text()
    assert compare.main() == 0  # again, beside its own results


# -- tiny runs ---------------------------------------------------------------------------------------------------------


def run_once(env_id, agent, steps, folder, episodes=3):
    path = folder / f"{env_id}_{agent}_0.json"
    compare.run(env_id, agent, 0, steps, episodes, path)
    assert [file.name for file in folder.iterdir()] == [path.name]  # nothing half-written
    return json.loads(path.read_text())


def test_random_linear_search_keeps_what_it_accepted(tmp_path):
    result = run_once("CartPole-v1", "random-linear", 4_000, tmp_path)
    assert result["accepted_at"] is not None
    assert result["rejected"] > 0
    after = [mean for steps, mean, _ in result["curve"] if steps >= result["accepted_at"]]
    assert len(after) > 1
    assert len(set(after)) == 1
    assert after[0] > 300
    assert result["curve"][0][0] == 100
    assert result["curve"][-1][0] == 4_000


def test_the_original_rule_acts_and_is_evaluated_without_a_trace(tmp_path):
    result = run_once("CartPole-v1", "original-rule", 300, tmp_path)
    assert [point[0] for point in result["curve"]] == [100, 200, 300]
    assert all(8 <= point[1] <= 500 for point in result["curve"])
    agent = baselines.OriginalRule(4, 2, 0)
    agent.act(np.ones(4))
    before = agent.network.get_state()
    agent.predict(np.random.default_rng(0).normal(size=(5, 4)))
    after = agent.network.get_state()
    assert all((before[name] == after[name]).all() for name in before)


def test_dynlive_has_a_run_file_too(tmp_path):
    result = run_once("CartPole-v1", "dynlive", 200, tmp_path)
    assert [point[0] for point in result["curve"]] == [100, 200]
    assert {"us_per_step", "connections", "solved_cpu_s", "compile_s"} <= set(result)


@pytest.mark.parametrize(
    ("env_id", "agent", "steps"),
    [("MountainCar-v0", "ppo", 300), ("Pendulum-v1", "sac", 110), ("CartPole-v1", "ars", 300)],
)
def test_the_baselines_are_the_real_ones(env_id, agent, steps, tmp_path):
    pytest.importorskip("sb3_contrib")
    result = run_once(env_id, agent, steps, tmp_path, episodes=2)
    assert result["curve"][-1][0] >= steps
    assert math.isfinite(result["final"])
    assert "stable_baselines3" in result["versions"]


def test_evaluating_changes_nothing_that_is_learned():
    pytest.importorskip("stable_baselines3")
    entry = compare.ENTRIES["CartPole-v1", "ppo"]
    finals = []
    for grid in (lambda budget: [budget], lambda budget: [*range(50, budget, 50), budget]):
        made = protocol.Course("CartPole-v1", dataclasses.replace(entry, grid=grid), 1_000, episodes=20)
        entry.train("CartPole-v1", 0, made)
        finals.append(made.result()["final"])
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


def test_a_study_goes_on_where_it_stopped_and_reports_what_failed(tmp_path, monkeypatch):
    started = []

    def pretend(command, **_):
        seed = command[command.index("--seeds") + 1]
        started.append(int(seed))
        if seed == "2":
            return SimpleNamespace(returncode=1, stderr="Traceback\nValueError: no")
        (tmp_path / f"CartPole-v1_ppo_{seed}.json").write_text("{}")
        return SimpleNamespace(returncode=0, stderr="")

    monkeypatch.setattr(runs.subprocess, "run", pretend)
    options = compare.parser().parse_args(["--out", str(tmp_path)])
    keys = [("CartPole-v1", "ppo", seed) for seed in range(4)]
    (tmp_path / "CartPole-v1_ppo_1.json").write_text("{}")
    assert compare.study(keys, options) == ["CartPole-v1 ppo seed 2 failed: ValueError: no"]
    assert sorted(started) == [0, 2, 3]
    assert compare.study(keys, options)  # only the failed one is tried again
    assert sorted(started) == [0, 2, 2, 3]


def test_runs_of_other_budgets_are_not_taken_for_what_is_asked(tmp_path, monkeypatch, capsys):
    run_once("CartPole-v1", "random-linear", 100, tmp_path)
    command = ["compare.py", "--agents", "random-linear", "--seeds", "0", "--steps", "200", "--out", str(tmp_path)]
    monkeypatch.setattr("sys.argv", command)
    assert compare.main() == 2
    assert "had other budgets" in capsys.readouterr().err
    (tmp_path / "swap_ppo_0.json").write_text('{"study": "swap", "agent": "ppo"}')  # of another script
    monkeypatch.setattr("sys.argv", [*command[:-4], "--steps", "100", "--episodes", "2", *command[-2:]])
    assert compare.main() == 0
    assert "| CartPole-v1 | random-linear | 1 | >100 |" in capsys.readouterr().out
