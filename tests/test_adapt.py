"""The studies of change and damage: what counts as back, the same changes for all, and what their files add up to."""

import json

import gymnasium as gym
import pytest

pytest.importorskip("scipy")
import adapt
from dynlive_rl.envs import Cycle, Draw, DriftCartPole, changing_cartpole
from runs import Study


class Knowing:
    """A policy that balances the pole from `skilled` steps on, in either world, told which one it is."""

    def __init__(self):
        self.sign, self.skilled = 1, False

    def predict(self, observations, deterministic):
        side = self.sign * (observations @ [0.1, 0.5, 1.0, 1.0]) > 0
        return (side if self.skilled else ~side).astype(int), None


def test_steps_to_be_back_are_counted_from_each_change():
    study = adapt.Change("DynLive/SwapCartPole-v0", 10_000, 2)
    course, policy = adapt.Changes(study, world=0), Knowing()
    course.begin()
    back = {0: 700, 1: 10_250, 2: None}
    for steps in range(50, course.budget + 1, 50):
        period = (steps - 1) // 10_000
        policy.sign = -1 if period == 1 else 1
        policy.skilled = back[period] is not None and steps >= back[period]
        over = course.passed(steps, policy)
        assert over == (steps == 30_000)
    assert course.recoveries == [700, 300, None]
    assert course.result()["period"] == 10_000


def test_environments_side_by_side_share_the_steps_between_changes():
    changes = {name: adapt._faster(value, 8) for name, value in gym.spec("DynLive/ChangingCartPole-v0").kwargs.items()}
    for step in range(0, 120_000, 1_000):
        one = changing_cartpole(**gym.spec("DynLive/ChangingCartPole-v0").kwargs, start=step).reset(seed=0)[1]
        assert changing_cartpole(**changes, start=step // 8).reset(seed=0)[1] == one
    assert adapt._faster(Cycle((0, 1), 80), 8) == Cycle((0, 1), 10)
    assert adapt._faster(Draw(0, 1, 80, first=16), 8) == Draw(0, 1, 10, first=2)
    assert adapt._faster(3.0, 8) == 3.0


def test_what_is_not_back_counts_as_the_period(tmp_path, monkeypatch, capsys):
    for agent, back in (("dynlive", 100), ("ppo", None)):
        for seed in range(2):
            run = {"study": "changing", "agent": agent, "seed": seed}
            Study(tmp_path, adapt.KEY).write(run | {"period": 5_000, "recoveries": [300, *[back] * 25]})
    monkeypatch.setattr("sys.argv", ["adapt.py", "--table-only", "--out", str(tmp_path)])
    assert adapt.main() == 0
    ours, theirs = capsys.readouterr().out.splitlines()[2:4]
    assert ours == "| changing | dynlive | 2 | 25 | 100 | 100 (100–100) | 0% | 100 | 100 | 1.00 (1.00–1.00) | – |"
    assert (
        theirs
        == "| changing | ppo | 2 | 25 | 5,000 | 5,000 (5,000–5,000) | 100% | 5,000 | 5,000 | 1.00 (1.00–1.00) | 50.0 |"
    )
    assert (tmp_path / "changing.png").exists()
    assert (tmp_path / "changing.svg").exists()


@pytest.mark.parametrize("agent", adapt.OURS)
def test_a_run_is_handed_in(agent, monkeypatch, capsys):
    monkeypatch.setitem(adapt.STUDIES, "swap", adapt.Change("DynLive/SwapCartPole-v0", 200, 1))
    monkeypatch.setattr(
        "sys.argv",
        ["adapt.py", "--one", "--studies", "swap", "--agents", agent, "--seeds", "3"],
    )
    assert adapt.main() == 0
    run = json.loads(capsys.readouterr().out)
    assert adapt.grouped([run])["swap", agent] == [run]
    assert run["seed"] == 3
    assert len(run["recoveries"]) == 2


def test_the_world_as_it_is_is_the_environments_own():
    course = adapt.Changes(adapt.STUDIES["changing"], world=3)
    for step in (0, 5_000, 35_000):
        env = gym.make("DynLive/ChangingCartPole-v0", world=3, start=step)
        info, arena = env.reset(seed=0)[1], course._as_it_is(step)
        arena.reset(seed=0)
        assert isinstance(env.unwrapped, DriftCartPole)
        now = {name: value for lifetime in arena.unwrapped.lifetimes for name, value in lifetime.now().items()}
        assert now.items() <= info.items()
        assert info.keys() - now.keys() <= {"swap", "scale", "sensor"}  # those that do nothing then
