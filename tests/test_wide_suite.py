"""The comparison where nobody tuned us: who plays, with whose settings, and what the runs add up to."""

import importlib

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("scipy")
import compare
import protocol
import tasks
import wide_suite
import wide_table
from runs import Study
from tables import ROOT

ROBOTS = "LunarLanderContinuous-v3", "BipedalWalker-v3", "HalfCheetah-v5", "Hopper-v5", "Reacher-v5", "Ant-v5"
GRIDS = "Wide/MiniGrid-Empty-5x5-v0", "Wide/MiniGrid-DoorKey-5x5-v0"
GAMES = "Wide/MinAtar-Breakout-v1", "Wide/MinAtar-SpaceInvaders-v1", "Wide/MinAtar-Asterix-v1"
RIVALS = (
    [(env_id, agent) for env_id in ROBOTS for agent in ("sac", "ppo")]
    + [(env_id, "tqc") for env_id in ("BipedalWalker-v3", "HalfCheetah-v5")]
    + [(env_id, agent) for env_id in GRIDS + GAMES for agent in ("dqn", "ppo")]
)


def needs(env_id):
    """Skip a test without what an environment is made of."""
    packages = {"MiniGrid": "minigrid", "MinAtar": "minatar", "Lunar": "Box2D", "Bipedal": "Box2D"}
    pytest.importorskip(next((package for part, package in packages.items() if part in env_id), "mujoco"))


# -- who plays ---------------------------------------------------------------------------------------------------------


def test_the_rivals_are_those_of_the_protocol():
    assert set(tasks.WIDE) == {*ROBOTS, *GRIDS, *GAMES}
    assert set(wide_suite.TUNED) == set(RIVALS)
    assert all((env_id, agent) in compare.ENTRIES for env_id in tasks.WIDE for agent in compare.OURS)


def test_everybody_has_our_budget_and_is_evaluated_alike():
    for env_id, task in tasks.WIDE.items():
        entries = [entry for (env_of, _), entry in compare.ENTRIES.items() if env_of == env_id]
        assert {(entry.budget, entry.grid, entry.may_stop) for entry in entries} == {
            (task.budget, protocol.even_grid, False)
        }
    assert protocol.even_grid(16_000) == [*range(1_000, 11_000, 1_000), 12_500, 15_000, 16_000]


def at(setting, progress):
    return setting(progress) if callable(setting) else setting


@pytest.mark.parametrize(("env_id", "agent"), RIVALS)
def test_settings_are_those_of_the_zoo(env_id, agent):
    """Where it has any: under the name of the task's older version, or under that of a task with other starts."""
    yaml = pytest.importorskip("yaml")
    zoo = importlib.resources.files(pytest.importorskip("rl_zoo3")) / "hyperparams" / f"{agent}.yml"
    torch = pytest.importorskip("torch")
    known = yaml.safe_load(zoo.read_text())
    name = env_id.removeprefix("Wide/").replace("-v5", "-v4")
    name = {"MiniGrid-Empty-5x5-v0": "MiniGrid-Empty-Random-5x5-v0", "Reacher-v4": "Reacher-v2"}.get(name, name)
    name = "HalfCheetah-v4" if (env_id, agent) == ("Reacher-v5", "sac") else name
    name = (
        "atari"
        if "MinAtar" in name and agent == "ppo"
        else "Acrobot-v1"
        if "MiniGrid" in name and agent == "dqn"
        else name
    )
    if name not in known:
        assert ("MinAtar" in name, agent) == (True, "dqn")
        return
    theirs, tuned = dict(known[name]), wide_suite.TUNED[env_id, agent]
    assert tuned.steps == theirs.pop("n_timesteps")
    assert tuned.envs == theirs.pop("n_envs", 1)
    assert (tuned.normalise is not None) == theirs.pop("normalize", False)
    for elsewhere in ("policy", "env_wrapper", "frame_stack"):
        theirs.pop(elsewhere, None)
    ours = {name: value for name, value in wide_suite.resolved(tuned.settings).items() if "features" not in str(value)}
    assert ours.keys() == theirs.keys()
    for setting, value in theirs.items():
        if setting == "policy_kwargs":
            assert ours[setting] == eval(value, {"dict": dict, "nn": torch.nn})
            continue
        falls = isinstance(value, str) and value.startswith("lin_")
        for progress in (1.0, 0.5):
            expected = float(value.removeprefix("lin_")) * progress if falls else value
            assert at(ours[setting], progress) == (expected if expected == "auto" else pytest.approx(float(expected)))


class Constructed(Exception):
    """Raised instead of learning."""


class NoCourse:
    """A course that ends when it should begin: the environments and the model are there by then."""

    budget = 1_000

    def begin(self):
        raise Constructed


@pytest.mark.parametrize(("env_id", "agent"), RIVALS)
def test_the_settings_of_every_rival_make_a_model(env_id, agent):
    pytest.importorskip("sb3_contrib")
    needs(env_id)
    with pytest.raises(Constructed):
        compare.ENTRIES[env_id, agent].train(env_id, 0, NoCourse())


# -- the environments --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("env_id", [GRIDS[0], GAMES[0]])
def test_agents_of_both_kinds_play_what_is_made_for_the_suite(env_id, tmp_path):
    pytest.importorskip("sb3_contrib")
    needs(env_id)
    for agent in ("dynlive", "ppo"):
        run = compare.run(env_id, agent, 0, 200, episodes=2)
        assert run["curve"]["steps"][-1] >= 200
        assert np.isfinite(run["curve"]["mean"]).all()


def test_a_grid_is_what_the_agent_sees_in_a_row():
    needs(GRIDS[0])
    env = gym.make(GRIDS[0])
    observation, _ = env.reset(seed=0)
    assert observation.shape == env.observation_space.shape == (147,)
    assert observation.dtype == np.uint8
    assert observation in env.observation_space


def test_a_game_ends_when_its_limit_is_reached():
    needs(GAMES[0])
    env = gym.make(GAMES[0])
    assert env.spec.max_episode_steps == tasks.GAME_STEPS
    env.reset(seed=0)
    env.unwrapped.game.act = lambda action: (0.0, False)  # a policy that never loses
    *_, terminated, truncated, _ = [env.step(0) for _ in range(tasks.GAME_STEPS)][-1]
    assert (terminated, truncated) == (False, True)


# -- the command line --------------------------------------------------------------------------------------------------


def asked(arguments, monkeypatch):
    """What would be run with some arguments, and the folder."""
    ran = []
    monkeypatch.setattr(compare.runs, "conduct", lambda study, commands, _: ran.extend([study, *commands]) or ([], 0))
    monkeypatch.setattr(compare.runs, "make_folder", lambda folder: True)
    monkeypatch.setattr(compare, "made_otherwise", lambda *_: "")
    monkeypatch.setattr("sys.argv", ["compare.py", *arguments])
    status = compare.main()
    return status, ran


def test_a_suite_brings_what_is_usual_for_it(monkeypatch):
    status, (study, *keys) = asked(["--suite", "wide"], monkeypatch)
    assert status == 0
    assert str(study.folder) == "results/wide"
    assert keys == [(env_id, "dynlive", seed) for env_id in tasks.WIDE for seed in range(5)]


def test_any_part_of_a_suite_can_be_asked_for(monkeypatch, tmp_path):
    arguments = ["--suite", "wide", "--envs", "Hopper-v5", "--agents", "sac", "--seeds", "2", "--out", str(tmp_path)]
    _, (study, *keys) = asked(arguments, monkeypatch)
    assert study.folder == tmp_path
    assert keys == [("Hopper-v5", "sac", 2)]


def test_what_is_not_in_a_suite_is_refused(monkeypatch, capsys):
    with pytest.raises(SystemExit):
        asked(["--suite", "wide", "--envs", "CartPole-v1"], monkeypatch)
    assert "CartPole-v1 is not in the suite wide" in capsys.readouterr().err


# -- the table ---------------------------------------------------------------------------------------------------------


def made(env_id, agent, seed, means, budget):
    """Make a run of a mean for every thousand steps, of 2 ms of CPU each."""
    steps = [1_000 * k for k in range(1, len(means) + 1)]
    curve = {"steps": steps, "mean": means, "wall_s": [at / 400 for at in steps], "cpu_s": [at / 500 for at in steps]}
    return {
        "env": env_id, "agent": agent, "seed": seed, "evaluation_episodes": 20, "budget": budget, "curve": curve,
    }  # fmt: skip


def test_agents_are_compared_after_as_many_steps_and_cuts_are_named():
    reacher = "Reacher-v5"
    ours = [made(reacher, "dynlive", seed, [-9.0, -4.0 - seed, -4.0, -3.0, -3.0], 5_000) for seed in range(3)]
    sac = [made(reacher, "sac", seed, [-40.0, -8.0, -6.0 - seed], 3_000) for seed in range(2)]
    rows = [row.removeprefix("| Reacher-v5 (-5) ") for row in wide_table.table([*ours, *sac]).splitlines()]
    assert "| dynlive | 3 | 5,000 of 50,000 | 2,000 | -4.00 at 3,000 | -3.00 (-3.00 – -3.00) | 1.00 | 2 |" in rows
    assert "| sac | 2 | 3,000 of 50,000 | >3,000 | -6.50 at 3,000 | -6.50 (-7.00 – -6.00) | – | 2 |" in rows
    assert sum("not run yet" in row for row in rows) == len(tasks.WIDE) - 1


def test_nothing_after_the_budget_counts_and_what_was_not_evaluated_yet_has_no_mean():
    hopper = "Hopper-v5"
    late = made(hopper, "ppo", 0, [100.0, 200.0, 300.0, 400.0, 9_999.0], 3_700)
    late["curve"] = {name: [rows[k] for k in (0, 2, 4)] for name, rows in late["curve"].items()}
    held = made(hopper, "ppo", 0, [100.0, 2_600.0, 2_600.0, 2_600.0, 2_600.0, 2_600.0, 0.0], 5_500)
    never = made(hopper, "ppo", 0, [0.0] * 9 + [9_999.0], 5_000)
    never["curve"] = {name: rows[-1:] for name, rows in never["curve"].items()}
    rows = [wide_table.table([run, made(hopper, "dynlive", 0, [100.0], 1_000)]) for run in (late, held, never)]
    start = "| Hopper-v5 (2,500) | ppo | 1 | "
    assert f"{start}3,700 of 100,000 | >3,700 | 100 at 1,000 | 300 | – | 2 |" in rows[0]
    assert f"{start}5,500 of 100,000 | 2,000 | 100 at 1,000 | 2,600 | 1.00 | 2 |" in rows[1]
    assert f"{start}5,000 of 100,000 | >5,000 | – | – | – | 2 |" in rows[2]


def test_where_there_is_no_goal_nothing_is_reached():
    text = wide_table.table([made("Ant-v5", "dynlive", 0, [1e6] * 5, 100_000)])
    assert "| Ant-v5 | dynlive | 1 | 100,000 | – | 1,000,000 at 100,000 | 1,000,000 | – | 2 |" in text


def test_the_suite_writes_its_table_and_curves(tmp_path, monkeypatch, capsys):
    for env_id in ("Ant-v5", GRIDS[0]):
        Study(tmp_path, compare.KEY).write(made(env_id, "dynlive", 0, [0.0, 1.0, 1.0, 1.0], 4_000))
    monkeypatch.setattr("sys.argv", ["compare.py", "--suite", "wide", "--table-only", "--out", str(tmp_path)])
    assert compare.main() == 0
    assert (
        "| MiniGrid-Empty-5x5-v0 (0.9) | dynlive | 1 | 4,000 of 20,000 | 2,000 |" in (tmp_path / "table.md").read_text()
    )
    assert "MiniGrid-Empty" in capsys.readouterr().out
    assert (tmp_path / "learning_curves.png").exists()


def test_the_committed_table_is_that_of_the_committed_runs():
    folder = ROOT / "results" / "wide"
    done = [run for run in Study(folder, compare.KEY).read() if run["env"] in tasks.WIDE]
    ordered = sorted(done, key=lambda run: (list(compare.agents_of(compare.ENTRIES)).index(run["agent"]), run["seed"]))
    assert (folder / "table.md").read_text() == wide_table.table(ordered) + "\n"
