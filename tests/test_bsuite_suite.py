"""bsuite's experiments: dm_env's environments for Gymnasium, what is played, and how bsuite's own analysis scores it."""

import warnings

import numpy as np
import pytest

pytest.importorskip("bsuite")
pytest.importorskip("matplotlib")
import dm_env
from bsuite import sweep
from dm_env import specs
from gymnasium.utils.env_checker import check_env

import bsuite_suite
import bsuite_table
from dm_environments import FromDmEnv
from runs import Study
from tables import ROOT

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:bsuite")  # of what its analysis asks pandas for

FIRST = [f"{name}/0" for name in bsuite_suite.EXPERIMENTS]


# -- dm_env's environments ---------------------------------------------------------------------------------------------


class Countdown(dm_env.Environment):
    """Three steps; the last one ends it for good, or breaks it off."""

    def __init__(self, end=dm_env.termination):
        self.end = end

    def reset(self):
        self.left = 3
        return dm_env.restart(self.observation())

    def step(self, action):
        self.left -= 1
        if self.left:
            return dm_env.transition(reward=0.5, observation=self.observation())
        return self.end(reward=np.float32(2), observation=self.observation())

    def observation(self):
        return np.full((2, 2), self.left, np.int64)

    def observation_spec(self):
        return specs.BoundedArray((2, 2), np.int64, 0, 3)

    def action_spec(self):
        return specs.DiscreteArray(3)


@pytest.mark.parametrize(
    ("end", "terminated", "truncated"), [(dm_env.termination, True, False), (dm_env.truncation, False, True)]
)
def test_an_episode_terminates_where_its_discount_is_0_and_is_truncated_otherwise(end, terminated, truncated):
    env = FromDmEnv(lambda seed: Countdown(end))
    observation, _ = env.reset()
    assert observation.tolist() == [3] * 4
    assert [env.step(0)[1:4] for _ in range(3)] == [
        (0.5, False, False), (0.5, False, False), (2.0, terminated, truncated),
    ]  # fmt: skip
    assert env.observation_space.high.tolist() == [3] * 4


def test_what_is_not_one_array_or_not_discrete_is_refused():
    env = Countdown()
    env.action_spec = lambda: specs.BoundedArray((1,), np.float32, -1, 1)
    with pytest.raises(ValueError, match="actions discrete, not"):
        FromDmEnv(lambda seed: env)


@pytest.mark.parametrize("bsuite_id", FIRST)
def test_gymnasium_has_no_objection(bsuite_id):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of observations without bounds, and no spec
        check_env(FromDmEnv(lambda seed: bsuite_suite.load(bsuite_id, seed)), skip_render_check=True)


def episode(env, seed, actions):
    """Rewards and observations of an episode's first steps."""
    seen = [env.reset(seed=seed)[0].tolist()]
    for action in actions:
        observation, reward, terminated, truncated, _ = env.step(action % env.action_space.n)
        seen += [reward, observation.tolist()]
        if terminated or truncated:
            break
    return seen


@pytest.mark.parametrize("bsuite_id", [*FIRST, "catch_noise/19", "deep_sea_stochastic/20"])
def test_a_seed_says_what_happens(bsuite_id):
    env = FromDmEnv(lambda seed: bsuite_suite.load(bsuite_id, seed))
    actions = np.random.default_rng(0).integers(0, 60, 200)
    assert episode(env, 7, actions) == episode(env, 7, actions)


@pytest.mark.parametrize("bsuite_id", FIRST)
def test_an_episode_is_not_longer_than_what_progress_is_counted_by(bsuite_id):
    env = FromDmEnv(lambda seed: bsuite_suite.load(bsuite_id, seed))
    env.reset(seed=0)
    steps = 1
    while not any(env.step(1)[2:4]):
        steps += 1
    assert steps <= bsuite_suite.most_steps(bsuite_id, 1) + 1  # clocks that are sums of 0.01 may go one step on


# -- what is played ----------------------------------------------------------------------------------------------------


def test_settings_are_bsuites():
    experiments = list(bsuite_suite.EXPERIMENTS)
    testing = [bsuite_id for bsuite_id in sweep.TESTING if not bsuite_id.startswith("mnist")]
    assert bsuite_suite.chosen(experiments, ["testing"]) == testing
    assert len(bsuite_suite.chosen(experiments, ["all"])) == len(sweep.SWEEP) - 60
    spread = bsuite_suite.chosen(["catch_noise"], ["spread"])
    assert [sweep.SETTINGS[bsuite_id]["noise_scale"] for bsuite_id in spread] == [0.1, 0.3, 1.0, 3.0, 10.0]
    assert bsuite_suite.chosen(["catch", "memory_size"], ["3", "18"]) == ["catch/3", "catch/18", "memory_size/3"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--experiments", "catch_noise"], "catch_noise have no settings testing"),
        (["--settings", "most"], "settings must be testing, spread, all or whole numbers, not most"),
        (["--experiments", "mnist"], "invalid choice: 'mnist'"),
    ],
)
def test_what_cannot_be_played_is_refused(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["bsuite_suite.py", "--out", str(tmp_path), *arguments])
    try:
        status = bsuite_suite.main()
    except SystemExit as error:
        status = error.code
    assert status == 2
    assert message in capsys.readouterr().err


def test_runs_with_other_numbers_of_episodes_are_not_taken_for_what_is_asked(tmp_path, monkeypatch, capsys):
    Study(tmp_path, bsuite_suite.KEY).write(made("catch/0", 300, total_regret=0.0))
    command = ["bsuite_suite.py", "--experiments", "catch", "--out", str(tmp_path)]
    monkeypatch.setattr("sys.argv", command)
    assert bsuite_suite.main() == 2
    assert "take another folder: catch/0 dynlive seed 0" in capsys.readouterr().err
    monkeypatch.setattr("sys.argv", [*command, "--episodes", "300"])
    assert bsuite_suite.main() == 0
    assert "| catch | dynlive | 1 of 20 | 300 of 10,000 | 1 | 1.00 |" in capsys.readouterr().out
    assert (tmp_path / "table.md").exists()


@pytest.mark.parametrize(("agent", "episodes"), [("dynlive-recurrent", 150), ("dqn", 30), ("ppo", 30)])
def test_agents_play_as_many_episodes_as_asked_for(agent, episodes):
    if agent in bsuite_suite.RIVALS:
        pytest.importorskip("stable_baselines3")
    run = bsuite_suite.train("memory_len/0", agent, 0, episodes)
    assert run["noted"]["episode"][-3:] == ([120, 140, 150] if episodes == 150 else [20, 25, 30])
    assert run["noted"]["steps"][-1] == 2 * episodes
    assert run["cpu_s"] > 0
    if agent == "dynlive-recurrent":
        row = "| memory_len | dynlive-recurrent | 1 of 23 | 150 of 10,000 | 1 | 1.00 | – |"
        assert row in bsuite_table.tables([run])


# -- scores ------------------------------------------------------------------------------------------------------------


def made(bsuite_id, episodes, agent="dynlive", seed=0, every=10, **per_episode):
    """Make a run that notes an amount per episode of everything."""
    noted = {"episode": [float(k) for k in range(every, episodes + 1, every)]}
    noted |= {name: [amount * k for k in noted["episode"]] for name, amount in per_episode.items()}
    noted["steps"] = [9 * k for k in noted["episode"]]
    return {
        "bsuite_id": bsuite_id, "agent": agent, "seed": seed, "episodes": episodes, "cpu_s": 0.9, "noted": noted,
    }  # fmt: skip


def test_a_score_is_the_mean_over_seeds():
    runs = [made("catch/0", 100, seed=seed, total_regret=regret) for seed, regret in enumerate([0.0, 0.8])]
    assert bsuite_table.score_of(runs) == pytest.approx(0.75)


def test_runs_are_scored_after_as_many_episodes():
    """bsuite's analysis would look at the longest run alone."""
    runs = [made("catch/0", 200, total_regret=0.0), made("catch/1", 100, total_regret=1.6)]
    assert bsuite_table.score_of(runs) == pytest.approx(0.5)


def test_scales_count_each():
    runs = [made(f"catch_scale/{k}", 100, total_regret=1.6 * (k == 0)) for k in (0, 4, 8, 12, 16)]
    mean, std = 0.8, np.std([0, 1, 1, 1, 1])
    assert bsuite_table.score_of(runs) == pytest.approx((mean + mean - std) / 2)


def test_the_deep_sea_is_scored_by_what_is_solved_soon_enough():
    found = made("deep_sea/0", 1_000, total_bad_episodes=0.5)
    lost = made("deep_sea/4", 1_000, total_bad_episodes=1.0)
    assert bsuite_table.score_of([found, lost]) == 0.5
    assert bsuite_table.score_of([lost]) == 0.0
    assert bsuite_table.score_of([made("deep_sea_stochastic/0", 1_000, total_bad_episodes=0.5)]) == 1.0
    assert bsuite_table.score_of([made("deep_sea_stochastic/0", 50, total_bad_episodes=0.5)]) == 0.0  # too few


def test_tables_say_what_was_cut():
    whole = [made(f"bandit/{k}", 10_000, every=1_000, total_regret=0.05) for k in range(20)]
    part = [made("catch/0", 1_000, total_regret=0.8), made("catch/0", 1_000, agent="dqn", total_regret=1.6)]
    text = bsuite_table.tables([*whole, *part])
    assert "| bandit | dynlive | 20 | 10,000 | 1 | 0.90 | – | 0.01 |" in text
    assert "| catch | dqn | 1 of 20 | 1,000 of 10,000 | 1 | 0.00 | 0 |" in text
    assert "| basic | 0.70 † (2 of 4 experiments) | 0.00 † (1 of 4 experiments) |" in text
    assert "| memory | – | – |" in text
    assert not any(key[0] == "bandit" for key in bsuite_table.cut([*whole, *part]))


def test_the_radar_plot_shows_agents_that_have_enough(tmp_path):
    few = [made("catch/0", 100, total_regret=0.8)]
    bsuite_table.radar(bsuite_table.scored(few), tmp_path / "radar")
    assert list(tmp_path.iterdir()) == []
    more = [*few, made("deep_sea_stochastic/0", 100, total_bad_episodes=0.5)]
    bsuite_table.radar(bsuite_table.scored(more), tmp_path / "radar")
    assert (tmp_path / "radar.png").read_bytes().startswith(b"\x89PNG")
    assert "</svg>" in (tmp_path / "radar.svg").read_text()


def test_the_committed_table_is_that_of_the_committed_runs():
    folder = ROOT / "results" / "bsuite"
    assert (folder / "table.md").read_text() == bsuite_table.tables(Study(folder, bsuite_suite.KEY).read()) + "\n"
