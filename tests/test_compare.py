"""The comparison: who plays where, what runs add up to; and tiny runs of each kind."""

import json
import math

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("scipy")
import baselines
import compare
import figures
import protocol
from dynlive_rl import DynLiveAgent
from runs import Study


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
    monkeypatch.setattr(compare.runs, "work", lambda _, commands, options: ran.extend(commands) or [])
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


# -- what runs add up to -----------------------------------------------------------------------------------------------


def made(agent, seed, solved_at, env="CartPole-v1", budget=20_000, stopped_at=None, **more):
    """Make a run of evaluations every 100 steps, a wall-clock second per 1,000 and a CPU second per 2,000 of them."""
    steps = [*range(100, stopped_at or budget, 100), stopped_at or budget]
    good = protocol.TASKS[env].threshold
    means = [good + seed if solved_at is not None and at >= solved_at else good - 1 for at in steps]
    curve = {
        "steps": steps, "mean": means, "wall_s": [at / 1_000 for at in steps], "cpu_s": [at / 2_000 for at in steps],
    }  # fmt: skip
    return {
        "env": env, "agent": agent, "seed": seed, "evaluation_episodes": 100, "budget": budget, "curve": curve, **more,
    }  # fmt: skip


def test_the_summary_counts_runs_that_did_not_solve_as_their_budget():
    runs = [
        *(made("dynlive", seed, at) for seed, at in enumerate([900, 1_000, 1_100])),
        *(made("ppo", seed, at, budget=100_000) for seed, at in enumerate([20_000, None, 30_000])),
        *(made("dqn", seed, at, budget=50_000) for seed, at in enumerate([None, 40_000, None])),
    ]
    ours, ppo, dqn = figures.summary(runs)
    assert ours["steps"] == {"median": 1_000, "more": False}
    assert (ours["solved"], ours["stays"], ours["final"]) == (1.0, 1.0, 476.0)
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
    _, ppo, dqn = figures.summary([made("dynlive", 0, None), made("ppo", 0, 10_000), made("dqn", 0, None)])
    assert ppo["versus_ours"]["steps"] == {"times": 0.5, "bound": "less"}
    assert dqn["versus_ours"]["steps"] is None


def test_runs_that_stopped_early_show_the_published_final_and_not_how_long_they_stay():
    early = made("sac", 0, 5_000, env="Pendulum-v1", stopped_at=7_000)
    (row,) = figures.summary([early, made("sac", 1, None, env="Pendulum-v1")])
    assert row["final"] == baselines.PUBLISHED_FINAL["Pendulum-v1", "sac"]
    assert row["stays"] is None  # nor by those that did not stop, because they never solved
    assert "-157.0 †" in figures.table([row])


def test_runs_without_clocks_have_no_seconds():
    run = made("dynlive", 0, 900)
    del run["curve"]["cpu_s"]
    (row,) = figures.summary([run])
    assert row["cpu_seconds"] is None
    assert row["seconds"]["median"] == 0.9


def test_the_headline_names_the_quickest_rival_and_the_quickest_that_always_solves():
    ours = [made("dynlive", 0, 900), made("dynlive-live", 0, 800)]
    often = [made("random-linear", seed, at) for seed, at in enumerate([100, 200, None])]
    always = [made("qrdqn", 0, 9_000), *(made("ppo", seed, 5_000) for seed in range(9))]
    rows = figures.summary([*ours, *often, *always])
    assert figures.headline(rows).splitlines()[2:] == [
        "| CartPole-v1 (475) | **900** | 1.00 | 475.0 | random linear 200 (2 of 3 seeds), PPO 5,000 | PPO 479.0 |"
    ]
    rows = figures.summary([made("dynlive", 0, None), made("dqn", 0, None)])
    assert figures.headline(rows).splitlines()[2:] == [
        "| CartPole-v1 (475) | **>20,000** (0 of 1 seeds) | – | 474.0 | – | DQN 474.0 |"
    ]


def test_a_steps_time_stands_beside_the_environments_own():
    ours = made("dynlive", 0, 900, us_per_step=180.4, env_us_per_step=8.5)
    live = made("dynlive-live", 0, 900, us_per_step=5.21, env_us_per_step=6.9)
    assert figures.costs(figures.summary([ours, live, made("ppo", 0, 900)])).splitlines() == [
        "| environment | its own step | dynlive | dynlive-live |",
        "|---|---|---|---|",
        "| CartPole-v1 | 6.9 µs | 180 µs | 5.2 µs |",
    ]


def test_one_agent_in_one_environment_is_shown_seed_by_seed():
    text = figures.seed_table([made("dynlive", 1_000, 900), made("dynlive", 1_001, None)])
    assert text.splitlines() == [
        "| seed | 1000 | 1001 |",
        "|---|---|---|",
        "| final | 1475 | 474 |",
        "| steps to solve | 900 | >20,000 |",
        "| stays | 1.00 | – |",
        "| CPU µs per step | 500 | 500 |",
    ]


def test_the_interquartile_mean_leaves_out_the_outer_quarters():
    values = np.array([-1e9, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 1e9])
    assert figures.iqm(values) == 3.5
    low, high = figures.interval(np.stack([values, 2 * values], axis=1))
    assert low.shape == high.shape == (2,)
    assert (figures.interval(values[:1]) == -1e9).all()


def test_runs_that_ended_early_keep_their_last_evaluation():
    curve = figures.held([{"curve": {"steps": [100, 300], "mean": [1.0, 3.0]}}], np.array([100, 200, 300, 900]))
    assert curve.tolist() == [[1, 1, 3, 3]]


def test_the_tables_alone_need_nothing_but_runs(tmp_path, monkeypatch, capsys):
    study = Study(tmp_path, compare.KEY)
    for run in [made("dynlive", 0, 900), made("dynlive", 1, 1_000), made("ppo", 0, None)]:
        study.write(run)
    monkeypatch.setattr("sys.argv", ["compare.py", "--table-only", "--out", str(tmp_path)])
    assert compare.main() == 0
    assert "| CartPole-v1 | dynlive | 2 | 950 |" in capsys.readouterr().out
    assert [row["agent"] for row in json.loads((tmp_path / "summary.json").read_text())] == ["dynlive", "ppo"]
    for name in ("learning_curves", "profiles"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "</svg>" in (tmp_path / f"{name}.svg").read_text()
    assert "**950**" in (tmp_path / "headline.md").read_text()
    assert len((tmp_path / "runs.jsonl").read_text().splitlines()) == 3
    assert compare.main() == 0  # again, from the merged runs
    assert "| CartPole-v1 | dynlive | 2 | 950 |" in capsys.readouterr().out


# -- tiny runs ---------------------------------------------------------------------------------------------------------


def run_once(env_id, agent, steps, folder, episodes=3):
    study = Study(folder, compare.KEY)
    study.write(compare.run(env_id, agent, 0, steps, episodes))
    (result,) = study.read()
    assert (result["env"], result["agent"], result["seed"]) == (env_id, agent, 0)
    assert (result["budget"], result["evaluation_episodes"]) == (steps, episodes)
    return result


def test_random_linear_search_keeps_what_it_accepted(tmp_path):
    result = run_once("CartPole-v1", "random-linear", 4_000, tmp_path)
    assert result["accepted_at"] is not None
    assert result["rejected"] > 0
    steps, means = result["curve"]["steps"], result["curve"]["mean"]
    after = [mean for at, mean in zip(steps, means, strict=True) if at >= result["accepted_at"]]
    assert len(after) > 1
    assert len(set(after)) == 1
    assert after[0] > 300
    assert (steps[0], steps[-1]) == (100, 4_000)


def test_the_original_rule_acts_and_is_evaluated_without_a_trace(tmp_path):
    result = run_once("CartPole-v1", "original-rule", 300, tmp_path)
    assert result["curve"]["steps"] == [100, 200, 300]
    assert all(8 <= mean <= 500 for mean in result["curve"]["mean"])
    agent = baselines.OriginalRule(4, 2, 0)
    agent.act(np.ones(4))
    before = agent.network.get_state()
    agent.predict(np.random.default_rng(0).normal(size=(5, 4)))
    after = agent.network.get_state()
    assert all((before[name] == after[name]).all() for name in before)


def test_dynlive_runs_too(tmp_path):
    result = run_once("CartPole-v1", "dynlive", 200, tmp_path)
    assert result["curve"]["steps"] == [100, 200]
    assert 0 < result["curve"]["cpu_s"][0] <= result["curve"]["cpu_s"][1]
    assert {"us_per_step", "connections", "compile_s"} <= set(result)


@pytest.mark.parametrize(
    ("env_id", "agent", "steps"),
    [("MountainCar-v0", "ppo", 300), ("Pendulum-v1", "sac", 110), ("CartPole-v1", "ars", 300)],
)
def test_the_baselines_are_the_real_ones(env_id, agent, steps, tmp_path):
    pytest.importorskip("sb3_contrib")
    result = run_once(env_id, agent, steps, tmp_path, episodes=2)
    assert result["curve"]["steps"][-1] >= steps
    assert math.isfinite(result["curve"]["mean"][-1])
    assert "stable_baselines3" in result["versions"]


@pytest.mark.parametrize("otherwise", [["--steps", "200"], ["--episodes", "2"]])
def test_runs_made_otherwise_are_not_taken_for_what_is_asked(otherwise, tmp_path, monkeypatch, capsys):
    run_once("CartPole-v1", "random-linear", 100, tmp_path)
    command = ["compare.py", "--agents", "random-linear", "--seeds", "0", "--out", str(tmp_path)]
    command += ["--steps", "100", "--episodes", "3"]
    monkeypatch.setattr("sys.argv", [*command, *otherwise])
    assert compare.main() == 2
    assert "take another folder: CartPole-v1 random-linear seed 0" in capsys.readouterr().err
    monkeypatch.setattr("sys.argv", command)
    assert compare.main() == 0
    assert "| CartPole-v1 | random-linear | 1 | >100 |" in capsys.readouterr().out


def test_the_folder_of_another_study_is_refused(tmp_path, monkeypatch, capsys):
    Study(tmp_path, ("study", "agent", "seed")).write({"study": "swap", "agent": "ppo", "seed": 0})
    for more in ([], ["--table-only"]):
        monkeypatch.setattr("sys.argv", ["compare.py", "--out", str(tmp_path), *more])
        assert compare.main() == 2
        assert "holds runs of another study: they have no env" in capsys.readouterr().err
