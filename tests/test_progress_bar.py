"""The progress bar: where it is shown, what it says, and the line at its end."""

import io
import re
import sys

import pytest

from dynlive_rl import DynLiveAgent
from dynlive_rl.agents import EventCallback
from dynlive_rl.agents.progress_bar import duration, is_shown
from helpers import cart


class Terminal(io.StringIO):
    def isatty(self):
        return True


def learned(monkeypatch, stream, steps=400, progress_bar=None, **settings):
    """What an agent's learning writes to a stream."""
    monkeypatch.setattr(sys, "stderr", stream)
    agent = cart(mode="live", **settings).learn(steps, progress_bar=progress_bar)
    monkeypatch.undo()
    return agent, stream.getvalue()


def test_a_terminal_gets_a_bar_of_less_than_80_columns_and_a_line(monkeypatch):
    agent, text = learned(monkeypatch, Terminal(), steps=30_000)
    *bars, end = [part for part in re.split(r"[\r\n]+", text) if part.strip()]
    assert bars
    assert max(map(len, bars)) < 80
    shown = next(bar for bar in reversed(bars) if "return" in bar)
    assert re.search(r"\d+% .* [\d,]+/30,000, return [\d.]+, [\d,]+ steps/s, [\d:.]+( s)? left", shown)
    assert re.fullmatch(r"mean return [\d.]+ \(last 20\) after 30,000 steps in [\d:.]+( s)?, seed 0", end)
    assert agent.num_timesteps == 30_000


def test_nothing_is_shown_elsewhere(monkeypatch):
    assert learned(monkeypatch, io.StringIO())[1] == ""
    assert learned(monkeypatch, Terminal(), progress_bar=False)[1] == ""
    assert "seed 0" in learned(monkeypatch, io.StringIO(), progress_bar=True)[1]


def test_a_notebook_gets_one(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert not is_shown(None)
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    assert is_shown(None)
    assert not is_shown(False)


def test_without_a_seed_one_is_drawn_told_and_can_be_used_again(monkeypatch):
    agent, text = learned(monkeypatch, io.StringIO(), progress_bar=True, seed=None)
    seed = int(re.search(r"seed (\d+)$", text.strip())[1])
    assert agent.seed == seed
    assert cart(mode="live", seed=None).seed != seed
    again = cart(mode="live", seed=seed).learn(400, progress_bar=False)
    assert (again.get_state()["strength"] == agent.get_state()["strength"]).all()


def test_the_line_is_there_where_no_episode_ended(monkeypatch):
    text = learned(monkeypatch, io.StringIO(), steps=3, progress_bar=True)[1]
    assert text.split("\r")[-1].startswith("no episode has ended after 3 steps in ")


@pytest.mark.parametrize(("seconds", "text"), [(0.04, "0.0 s"), (4.25, "4.2 s"), (185, "3:05"), (5025, "1:23:45")])
def test_durations(seconds, text):
    assert duration(seconds) == text


# -- callbacks that are called at events ---------------------------------------------------------------------------------


class Watching(EventCallback):
    def __init__(self, next_step, until=None):
        self.next_step, self.until, self.calls = next_step, until, []

    def __call__(self, report):
        self.calls.append((report.agent.num_timesteps, bool(report.finished)))
        return None if self.until is None else report.agent.num_timesteps < self.until


def test_an_event_callback_is_called_at_ends_of_episodes_and_from_its_step_on():
    every = []
    cart(mode="live").learn(
        200, callback=lambda report: every.append((report.agent.num_timesteps, bool(report.finished)))
    )
    watching = Watching(next_step=150)
    cart(mode="live").learn(200, callback=watching)
    assert watching.calls == [(step, ended) for step, ended in every if ended or step >= 150]
    assert any(not ended for _, ended in watching.calls)


def test_it_counts_from_where_the_agent_is_and_may_end_learning():
    agent = cart(mode="live").learn(100)
    watching = Watching(next_step=130, until=135)
    agent.learn(100, callback=watching, reset_num_timesteps=False)
    assert agent.num_timesteps == 135
    assert [step for step, _ in watching.calls if step >= 130] == [130, 131, 132, 133, 134, 135]


def test_it_is_counted_in_steps_of_all_environments():
    import gymnasium as gym

    agent = DynLiveAgent(gym.make_vec("CartPole-v1", num_envs=4), mode="live", seed=0)
    watching = Watching(next_step=90, until=100)
    agent.learn(300, callback=watching)
    assert agent.num_timesteps >= 100
    assert all(ended or step >= 90 for step, ended in watching.calls)
