"""What a study adds up to: scores on fresh seeds, the table of its trials, and how much each setting matters."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .objective import Lessons, Plan, combined
from .study import Search, Trial, distribution, sentence_of

FRESH_SEEDS = 10_000  # after the seed of a study: nobody learned with these before
RESAMPLES = 10_000
MOST_BARS = 20
RETRIES = 3


class Confirmed(NamedTuple):
    """What a configuration is worth on seeds of its own.

    Attributes
    ----------
    score, interval
        The score of all seeds together, and its 95 % bootstrap interval over the seeds.
    task_scores, returns
        The mean score, and the mean return of the last evaluation, by task.
    """

    score: float
    interval: tuple[float, float]
    task_scores: tuple[float, ...]
    returns: tuple[float, ...]


def measure(plan: Plan, settings: Mapping[str, float], seed: int) -> tuple[list[float], list[float]]:
    """Let agents of one seed learn all tasks; returns their scores and their last returns by task."""
    lessons = Lessons(plan, settings, [seed])
    while lessons.rung < plan.rungs:
        lessons.advance()
    return lessons.task_scores(), lessons.returns[-1]


def confirm(ray: Any, plan: Plan, all_settings: Sequence[Mapping[str, float]], seeds: Sequence[int]) -> list[Confirmed]:
    """Measure some configurations on the same seeds, in the workers of a connected Ray.

    Raises
    ------
    ValueError
        If a worker fails.
    """
    task = ray.remote(measure).options(num_cpus=1, max_retries=RETRIES, scheduling_strategy="SPREAD")
    try:
        told = ray.get([task.remote(plan, settings, seed) for settings in all_settings for seed in seeds])
    except ray.exceptions.RayError as error:
        raise ValueError(f"no score on fresh seeds: {sentence_of(error)}") from None
    parts = np.array(told).reshape(len(all_settings), len(seeds), 2, len(plan.tasks))
    return [confirmed(scores, returns) for scores, returns in zip(parts[:, :, 0], parts[:, :, 1], strict=True)]


def confirmed(scores: NDArray[np.float64], returns: NDArray[np.float64]) -> Confirmed:
    """Return what scores and returns (seeds, tasks) add up to."""
    drawn = np.random.default_rng(0).integers(len(scores), size=(RESAMPLES, len(scores)))
    means = scores[drawn].mean(axis=1)
    low, high = np.percentile((means.mean(axis=1) + means.min(axis=1)) / 2, [2.5, 97.5])
    return Confirmed(
        score=combined(scores.mean(axis=0).tolist()),
        interval=(float(low), float(high)),
        task_scores=tuple(map(float, scores.mean(axis=0))),
        returns=tuple(map(float, returns.mean(axis=0))),
    )


def best_of(trials: Sequence[Trial], plan: Plan, is_population: bool) -> Trial:
    """Return the best trial that learned all parts.

    Raises
    ------
    ValueError
        If none did.
    """
    whole = [trial for trial in trials if trial.score is not None and not trial.error and trial.rung == plan.rungs]
    if not whole:
        problems = [trial.error for trial in trials if trial.error]
        raise ValueError(f"no trial learned to the end: {problems[0] if problems else 'all were given up'}")
    return max(whole, key=lambda trial: (trial.latest if is_population else trial.score) or 0.0)


def write_table(path: Path, trials: Sequence[Trial], search: Search) -> None:
    """Write a row per trial."""
    tasks = [task.env for task in search.plan.tasks]
    with open(path, "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(
            ["trial", "score", "latest", "parts", "inherited", "error"]
            + [f"{what} {env}" for what in ("score", "return") for env in tasks]
            + list(search.fields)
        )
        for number, trial in enumerate(trials, 1):
            of_tasks: list[Any] = [*trial.task_scores, *trial.returns] or [""] * (2 * len(tasks))
            own: list[Any] = [number, trial.score, trial.latest, trial.rung, trial.inherited, trial.error]
            rows.writerow([*own, *of_tasks, *(trial.settings.get(name, "") for name in search.fields)])


# -- what matters ------------------------------------------------------------------------------------------------------


def importances(trials: Sequence[Trial], search: Search) -> dict[str, float]:
    """Return the share of each setting in what makes good trials differ from the others (PED-ANOVA, Watanabe et al. 2023).

    Empty where there are too few trials to tell, or all were worth the same.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize")
    distributions = {name: distribution(where) for name, where in search.ranges().items()}
    for trial in trials:
        if trial.score is not None and not trial.error:
            study.add_trial(
                optuna.trial.create_trial(params=trial.settings, distributions=distributions, value=trial.score)
            )
    if len({trial.value for trial in study.trials}) < 2:
        return {}
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    return {
        name: float(share)
        for name, share in optuna.importance.get_param_importances(study, evaluator=evaluator).items()
    }


def draw_importances(shares: Mapping[str, float], path: Path) -> None:
    """Draw the settings that matter most as bars."""
    from dynlive_rl.drawing import require_pyplot

    plt = require_pyplot()
    names = sorted(shares, key=lambda name: shares[name])[-MOST_BARS:]
    figure, axes = plt.subplots(figsize=(7, 1 + 0.28 * len(names)), layout="constrained")
    axes.barh(names, [shares[name] for name in names], color="C0")
    axes.set_xlabel("importance for the score")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=130)
    plt.close(figure)
