"""The examples run."""

import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_optuna_tunes_the_configuration(monkeypatch, capsys):
    pytest.importorskip("optuna")
    monkeypatch.setattr(sys, "argv", ["optuna_tuning.py", "CartPole-v1", "2", "250"])
    names = runpy.run_path(str(EXAMPLES / "optuna_tuning.py"), run_name="__main__")
    assert "mean return" in capsys.readouterr().out
    assert callable(names["tune"])


def test_trials_that_do_worse_are_given_up(monkeypatch):
    optuna = pytest.importorskip("optuna")
    names = runpy.run_path(str(EXAMPLES / "optuna_tuning.py"))
    returns = iter(range(1000, 0, -1))  # every evaluation is worse than the one before

    class Falling(names["DynLiveAgent"]):
        def learn(self, *steps, **settings):
            return self

        def evaluate(self, *episodes, **settings):
            played = type("Played", (), {})()
            played.mean = float(next(returns))
            return played

    monkeypatch.setitem(names["tune"].__globals__, "DynLiveAgent", Falling)
    study = names["tune"]("CartPole-v1", 5, 100)
    states = [trial.state for trial in study.trials]
    assert states[:3] == [optuna.trial.TrialState.COMPLETE] * 3
    assert states[3:] == [optuna.trial.TrialState.PRUNED] * 2
    assert {"actor_rate", "hidden"} == study.best_params.keys()
