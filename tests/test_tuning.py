"""Search for settings: where it looks, what a configuration is worth, and studies on Ray that go on after a kill."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import asdict, replace

import gymnasium as gym
import numpy as np
import pytest

from dynlive_rl import DynLiveAgent
from dynlive_rl.agents import AgentConfig, LiveConfig
from dynlive_rl.agents.settings import ranges
from dynlive_rl.agents.tuning.objective import Lessons, Plan, Task, combined, task_of
from dynlive_rl.agents.tuning.report import best_of, confirmed, importances
from dynlive_rl.agents.tuning.study import FOLDER, Explorer, Search, Trial, remove, sentence_of
from dynlive_rl.checkpoint import CheckpointError
from dynlive_rl.cli import main
from test_cli import complaint

POLE = Task("CartPole-v1", 20.0, 475.0)


def plan(*tasks, mode="live", **changes):
    return Plan(mode, {}, tasks or (POLE,), **{"steps": 90, "rungs": 3, "episodes": 2} | changes)


# -- where it looks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["rehearsal", "live"])
def test_every_corner_of_the_ranges_is_a_configuration(mode):
    where = dict(ranges(plan(mode=mode).configuration({})))
    assert len(where) >= 15
    random = np.random.default_rng(0)
    corners = [np.zeros(len(where)), np.ones(len(where)), *random.integers(2, size=(500, len(where)))]
    for corner in corners:
        plan(mode=mode).configuration(
            {name: where[name].high if end else where[name].low for name, end in zip(where, corner, strict=True)}
        )


@pytest.mark.parametrize("config", [AgentConfig(), LiveConfig()])
def test_the_default_is_inside_of_the_ranges(config):
    for name, where in ranges(config):
        group, _, field = name.partition(".")
        assert where.low <= getattr(getattr(config, group), field) <= where.high, name
        assert where.low < where.high
        assert not where.log or where.low > 0
        assert where.whole == isinstance(getattr(getattr(config, group), field), int)


def test_a_search_begins_as_near_as_the_ranges_allow():
    bad = plan(mode="rehearsal").configuration({})
    bad = replace(bad, optimisation=replace(bad.optimisation, actor_rate=1e-9, tau=0.05))
    search = Search(
        Plan("rehearsal", asdict(bad), (POLE,), 10, 1, 1),
        ("optimisation.actor_rate", "optimisation.tau", "rehearsal.batch"), 5, (0,), 0,
    )  # fmt: skip
    assert search.start() == {"optimisation.actor_rate": 1e-4, "optimisation.tau": 0.05, "rehearsal.batch": 64}


def test_heirs_change_within_the_ranges():
    where = dict(ranges(AgentConfig()))
    settings = {name: one.high for name, one in where.items()}
    explorer = Explorer(where, seed=0)
    for _ in range(50):
        settings = explorer(settings)
        for name, value in settings.items():
            assert where[name].low <= value <= where[name].high
            assert isinstance(value, int) == where[name].whole
    assert Explorer(where, seed=0)(settings) == Explorer(where, seed=0)(settings) != settings


# -- what a configuration is worth -------------------------------------------------------------------------------------


def test_random_actions_score_0_and_the_threshold_1():
    assert [POLE.score(mean) for mean in (-5.0, 20.0, 247.5, 475.0, 500.0)] == [0, 0, 0.5, 1, 1]
    pole = task_of("CartPole-v1", None)
    assert pole.good == gym.spec("CartPole-v1").reward_threshold
    assert 15 < pole.low < 40
    assert task_of("MountainCar-v0", -120.0) == Task("MountainCar-v0", -200.0, -120.0)


def test_a_configuration_is_to_serve_all():
    assert combined([0.6, 0.6]) == pytest.approx(0.6)
    assert combined([0.6, 0.6]) > combined([1.0, 0.2])
    assert combined([1.0, 0.0]) > combined([0.5, 0.0])


def test_agents_that_go_on_from_a_folder_end_where_unbroken_ones_do(tmp_path):
    tasks = POLE, Task("MountainCar-v0", -200.0, -110.0)
    unbroken, broken, resumed = (Lessons(plan(*tasks), {"exploration.entropy": 0.2}, [3, 4]) for _ in range(3))
    for _ in range(3):
        unbroken.advance()
    broken.advance()
    broken.save(tmp_path, "a")
    resumed.go_on(tmp_path, "a")
    assert (resumed.rung, resumed.inherited) == (1, 0)
    resumed.advance()
    resumed.advance()
    assert resumed.scores == unbroken.scores
    for some, others in zip(unbroken.agents, resumed.agents, strict=True):
        for one, other in zip(some, others, strict=True):
            for name, array in one.get_state().items():
                assert np.array_equal(array, other.get_state()[name]), name
    assert unbroken.score() == combined(list(np.mean(unbroken.scores, axis=0)))


@pytest.mark.parametrize("mode", ["rehearsal", "live"])
def test_heirs_have_the_strengths_of_others_and_settings_of_their_own(mode, tmp_path):
    group = "optimisation"
    parent = Lessons(plan(mode=mode, steps=600), {f"{group}.actor_rate": 0.01}, [3])
    parent.advance()
    parent.save(tmp_path, "parent")
    heir = Lessons(plan(mode=mode, steps=600), {f"{group}.actor_rate": 0.008}, [3])
    heir.go_on(tmp_path, "heir")
    (inherited,), (own,) = parent.agents[0], heir.agents[0]
    old, new = inherited.get_state(), own.get_state()
    assert {name for name in old if not np.array_equal(old[name], new[name])} <= {"random", "predict_random"}
    assert own.config.optimisation.actor_rate == 0.008
    assert (heir.scores, heir.inherited) == (parent.scores, 1)
    parent.advance()
    heir.advance()
    assert heir.rung == 2
    assert any(not np.array_equal(array, own.get_state()[name]) for name, array in inherited.get_state().items())


def test_who_is_made_of_something_else_cannot_inherit(tmp_path):
    parent = Lessons(plan(mode="rehearsal", steps=30), {}, [0])
    parent.advance()
    parent.save(tmp_path, "parent")
    with pytest.raises(CheckpointError):
        Lessons(plan(mode="rehearsal", steps=30), {"network.hidden": 16}, [0]).go_on(tmp_path, "heir")


def test_scores_on_fresh_seeds_have_an_interval():
    scores = np.array([[0.2, 0.9], [0.4, 0.7], [0.6, 0.8]])
    told = confirmed(scores, scores * 100)
    assert told.score == pytest.approx(combined([0.4, 0.8]))
    assert 0.3 < told.interval[0] < told.score < told.interval[1] < 0.75
    assert told.returns == pytest.approx((40, 80))
    assert confirmed(scores[:1], scores[:1]).interval == pytest.approx((combined([0.2, 0.9]),) * 2)


def trial(score, rung=3, error="", **settings):
    return Trial(settings, score, score, (), (), rung, 0, error, None)


def test_the_best_trial_is_one_that_learned_to_the_end():
    trials = [trial(0.5), trial(0.9, rung=1), trial(0.7), trial(0.8, error="no"), trial(None, rung=0, error="no")]
    assert best_of(trials, plan(), is_population=False) == trials[2]
    with pytest.raises(ValueError, match="no trial learned to the end: the pole is broken"):
        best_of([trial(None, rung=0, error="the pole is broken"), trial(0.4, rung=2)], plan(), is_population=False)


def test_what_decides_the_score_is_important():
    pytest.importorskip("optuna")
    search = Search(plan(), ("exploration.entropy", "optimisation.discount"), 40, (0,), 0)
    random = np.random.default_rng(0)
    entropies, discounts = random.uniform(0.01, 1, 40), random.uniform(0.95, 0.9995, 40)
    trials = [
        trial(-abs(np.log(entropy / 0.1)), **{"exploration.entropy": entropy, "optimisation.discount": discount})
        for entropy, discount in zip(entropies, discounts, strict=True)
    ]
    shares = importances(trials, search)
    assert shares["exploration.entropy"] > 3 * shares["optimisation.discount"]
    assert importances(trials[:1], search) == {}


def test_the_last_line_of_an_error_is_its_sentence():
    assert (
        sentence_of(RuntimeError("Traceback\n  File\nValueError: the pole is broken\n"))
        == "ValueError: the pole is broken"
    )
    assert sentence_of(KeyboardInterrupt()) == "KeyboardInterrupt"


def test_trials_elsewhere_are_removed_with_their_study(tmp_path):
    pytest.importorskip("pyarrow")
    (tmp_path / FOLDER / "trial_1").mkdir(parents=True)
    (tmp_path / "other").write_text("stays")
    for storage in (str(tmp_path), tmp_path.as_uri(), tmp_path.as_uri()):  # the last time there is nothing to remove
        remove(storage)
    assert [file.name for file in tmp_path.iterdir()] == ["other"]


# -- the command -------------------------------------------------------------------------------------------------------

TINY = ("--mode", "live", "--steps", "60", "--parts", "2", "--seeds", "1", "--eval-episodes", "1", "--seed", "7")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["CartPole-v1", "--trials", "3"], "--out is required"),
        (["--trials", "3", "--out", "new"], "name environments, e.g."),
        (["CartPole-v1", "--out", "new"], "say either --trials, how many configurations to try, or --population"),
        (["CartPole-v1", "--trials", "3", "--population", "4", "--out", "new"], "say either --trials"),
        (["CartPole-v1", "CartPole-v1", "--trials", "3", "--out", "new"], "every environment is named once"),
        (["Pendulum-v1", "--trials", "3", "--out", "new"], "nothing says what return is good in Pendulum-v1: name one"),
        (["CartPole-v1", "--trials", "3", "--out", "new", "--good", "CartPole-v1=5"], "more than random actions bring"),
        (["CartPole-v1", "--trials", "3", "--out", "new", "--good", "Acrobot-v1=5"], "--good names Acrobot-v1, which is"),
        (["CartPole-v1", "--trials", "3", "--out", "new", "--good", "CartPole-v1=x"], "must be a number, not 'x'"),
        (
            ["CartPole-v1", "--trials", "3", "--out", "new", "--fields", "optimisation.actorrate"],
            "no setting optimisation.actorrate of mode rehearsal has a range to search: did you mean optimisation.actor_rate?",
        ),
        (
            ["CartPole-v1", "--population", "4", "--out", "new", "--fields", "network.hidden"],
            "no setting network.hidden of mode rehearsal can change in agents that live",
        ),
        (["--resume", "--out", "new"], "there is no study in new: leave --resume out to begin one"),
        (["--trials", "3.5", "--out", "new"], "must be a whole number ≥ 0, not '3.5'"),
        (["--population", "2", "--out", "new"], "must be a whole number ≥ 4, not '2'"),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_is_one_sentence(arguments, says, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seed = [] if "--resume" in arguments else ["--seed", "0"]
    assert says in complaint(capsys, "tune", *arguments, *seed)
    assert list(tmp_path.iterdir()) == []


def test_without_ray_one_sentence_says_what_to_install(capsys, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    said = complaint(capsys, "tune", "CartPole-v1", "--trials", 2, "--out", tmp_path / "new", *TINY)
    assert said == 'dynlive: to run on a Ray cluster, pip install "dynlive-rl[sweep]"'


@pytest.fixture(scope="module")
def ray():
    pytest.importorskip("ray")
    pytest.importorskip("optuna")
    from dynlive_rl.agents.tuning.cluster import connected

    with connected(cores=1) as module:
        yield module


def tuned(capsys, *arguments):
    capsys.readouterr()
    assert main(["tune", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def table_of(folder):
    with open(folder / "trials.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_a_worker_has_one_thread(ray):
    names = [f"{name}_NUM_THREADS" for name in ("NUMBA", "OMP", "MKL", "OPENBLAS")]
    look = ray.remote(lambda: [os.environ[name] for name in names])
    assert ray.get(look.options(num_cpus=1).remote()) == ["1"] * 4


def test_a_search_writes_a_table_a_picture_and_a_file_for_train(ray, capsys, tmp_path):
    fields = ("--fields", "optimisation.actor_rate", "exploration")
    result = tuned(
        capsys, "CartPole-v1", "--trials", 3, "--confirm", 2, "--jobs", 1, "--out", tmp_path / "study", *TINY, *fields
    )
    rows = table_of(tmp_path / "study")
    assert (len(rows), result["trials"]) == (3, 3)
    assert float(rows[0]["optimisation.actor_rate"]) == LiveConfig().optimisation.actor_rate  # where it began
    assert all(0.007 <= float(row["optimisation.actor_rate"]) <= 0.7 for row in rows)
    best = max(rows, key=lambda row: float(row["score"]) if row["parts"] == "2" else -1)
    assert float(best["score"]) == result["trial_score"]
    low, high = result["score"]["interval"]
    assert low <= result["score"]["score"] <= high
    assert result["score"]["score"] >= result["before"]["score"]
    written = tomllib.loads((tmp_path / "study" / "best.toml").read_text())
    config = LiveConfig(**{name: value for name, value in written.items() if name != "mode"})
    assert config == plan().configuration(result["settings"])
    train = ["train", "CartPole-v1", "--steps", "20", "--seed", "0", "--out", str(tmp_path / "run")]
    assert main([*train, "--config", str(tmp_path / "study" / "best.toml")]) == 0
    assert DynLiveAgent.load(tmp_path / "run" / "agent.dynlive").config == config
    scored = tuned(
        capsys, "CartPole-v1", "--trials", 0, "--confirm", 2, "--out", tmp_path / "score", *TINY,
        "--config", tmp_path / "study" / "best.toml",
    )  # fmt: skip
    assert scored["score"] == result["score"]  # the file is what was scored
    kept = DynLiveAgent.load(tmp_path / "study" / "agents" / "CartPole-v1_7.dynlive")
    assert kept.num_timesteps == 60
    assert "there is a study in" in complaint(capsys, "tune", "CartPole-v1", "--trials", 3, "--out", tmp_path / "study")
    again = ("tune", "CartPole-v1", "--resume", "--out", tmp_path / "study")
    assert "says what it is: leave out the environments" in complaint(capsys, *again)
    assert tuned(capsys, "--resume", "--out", tmp_path / "study")["score"] == result["score"]
    assert table_of(tmp_path / "study") == rows


def test_a_population_inherits(ray, capsys, tmp_path):
    result = tuned(
        capsys,
        "CartPole-v1",
        "--population",
        4,
        "--confirm",
        0,
        "--jobs",
        1,
        "--out",
        tmp_path,
        *TINY,
        "--steps",
        400,
        "--parts",
        4,
    )
    rows = table_of(tmp_path)
    assert len(rows) == 4
    assert all(row["parts"] == "4" and not row["error"] for row in rows)
    assert sum(int(row["inherited"]) for row in rows) > 0
    assert float(rows[result["best_trial"] - 1]["latest"]) == max(float(row["latest"]) for row in rows)
    assert DynLiveAgent.load(tmp_path / "agents" / "CartPole-v1_7.dynlive").connections > 0


@pytest.mark.slow
def test_a_search_that_is_killed_goes_on_where_it_was(tmp_path):
    pytest.importorskip("ray")
    folder = tmp_path / "study"
    command = [sys.executable, "-m", "dynlive_rl", "tune", "--out", str(folder), "--jobs", "2"]
    tiny = ["CartPole-v1", *TINY, "--steps", "20000", "--parts", "4", "--trials", "10", "--confirm", "2"]
    for number in (signal.SIGKILL, signal.SIGTERM):
        first = number == signal.SIGKILL
        process = subprocess.Popen([*command, *(tiny if first else ["--resume"])], stdout=subprocess.PIPE, text=True)
        for line in process.stdout:
            if line.startswith(("trial 3 ", "trial 4 ") if first else ("trial 6 ", "trial 7 ")):
                break
        time.sleep(4)  # its state is saved every three seconds
        process.send_signal(number)
        process.wait()
    assert subprocess.run([*command, "--resume"], stdout=subprocess.DEVNULL).returncode == 0
    rows = table_of(folder)
    assert [int(row["trial"]) for row in rows] == list(range(1, 11))
    assert all(row["score"] and not row["error"] for row in rows)
    assert len({row["optimisation.actor_rate"] for row in rows}) == 10
    result = json.loads((folder / "tune.json").read_text())["result"]
    assert result["score"]["score"] >= result["before"]["score"]
