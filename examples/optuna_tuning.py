"""Tune some fields of the configuration with Optuna: python examples/optuna_tuning.py [ENV_ID] [TRIALS] [STEPS].

A trial learns in five parts. After each it is evaluated, and given up where it does worse than the others did.
"""

import sys

import optuna

from dynlive_rl import DynLiveAgent
from dynlive_rl.agents import AgentConfig, NetworkConfig, OptimisationConfig


def tune(env: str, trials: int, steps: int) -> optuna.Study:
    """Return a study of so many trials, each of so many environment steps."""

    def objective(trial: optuna.Trial) -> float:
        rates = OptimisationConfig(actor_rate=trial.suggest_float("actor_rate", 3e-4, 3e-3, log=True))
        hidden = NetworkConfig(hidden=trial.suggest_categorical("hidden", [64, 128, 256]))
        agent = DynLiveAgent(env, config=AgentConfig(optimisation=rates, network=hidden), seed=trial.number)
        for part in range(5):
            agent.learn(steps // 5, reset_num_timesteps=False, progress_bar=False)
            trial.report(agent.evaluate(10, seed=0).mean, step=part)
            if trial.should_prune():
                raise optuna.TrialPruned
        return agent.evaluate(50, seed=1).mean

    study = optuna.create_study(direction="maximize", pruner=optuna.pruners.MedianPruner(n_startup_trials=3))
    study.optimize(objective, n_trials=trials)
    return study


if __name__ == "__main__":
    env, trials, steps = (*sys.argv[1:], *["CartPole-v1", "10", "2000"][len(sys.argv) - 1 :])
    best = tune(env, int(trials), int(steps)).best_trial
    print(f"trial {best.number}: mean return {best.value:.1f} with {best.params}")
