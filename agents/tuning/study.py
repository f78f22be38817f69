"""A search for settings, or a population of agents, as a study of Ray Tune that goes on after it was killed."""

import logging
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from ..settings import Range, ranges
from .objective import Lessons, Plan

FOLDER = "trials"
LEAST_RUNGS = 3  # parts of the steps that every trial learns before it may be given up
WORST_SHARE = 0.25  # of a population that inherits from as many of the best
BOLDNESS = 0.1  # deviation of an heir's setting from the one inherited, in widths of its range
FRESH = 0.1  # share of an heir's settings that are drawn anew
MAX_FAILURES = 3  # times that a trial whose worker died goes on
SAVE_EVERY_S = "3"  # the state of the study, at most
KEPT = 4  # checkpoints of a trial: what was saved last of the study's state may name one that is some parts old


@dataclass(frozen=True)
class Search:
    """What is searched for, and how.

    Attributes
    ----------
    plan
        What is asked of every configuration.
    fields
        Names of the settings that may change.
    trials
        Configurations that are tried; the members of a population.
    seeds
        Those of every trial's agents, for each task.
    seed
        Of what the search draws.
    is_population
        Whether agents inherit from each other while they learn, and are not given up.
    """

    plan: Plan
    fields: tuple[str, ...]
    trials: int
    seeds: tuple[int, ...]
    seed: int
    is_population: bool = False

    def ranges(self) -> dict[str, Range]:
        """Return where the settings are looked for."""
        known = dict(ranges(self.plan.configuration({})))
        return {name: known[name] for name in self.fields}

    def start(self) -> dict[str, float]:
        """Return the values that the search begins with: those of the plan, as near as the ranges allow."""
        config = self.plan.configuration({})
        found = {}
        for name, where in self.ranges().items():
            group, _, field = name.partition(".")
            value = min(max(getattr(getattr(config, group), field), where.low), where.high)
            found[name] = int(value) if where.whole else float(value)
        return found


class Trial(NamedTuple):
    """What came of a configuration.

    Attributes
    ----------
    settings
        The values of the fields that may change.
    score, latest
        What it is worth by all evaluations and by the last one; None where it failed before any.
    task_scores, returns
        Its scores by all evaluations, and mean returns in the last one, by task.
    rung
        How many parts of the steps it learned.
    inherited
        How often a member of a population took over what others had learned.
    error
        A sentence, where it failed.
    folder
        Where its agents are, as Ray Tune's `Checkpoint`; None where none were kept.
    """

    settings: dict[str, float]
    score: float | None
    latest: float | None
    task_scores: tuple[float, ...]
    returns: tuple[float, ...]
    rung: int
    inherited: int
    error: str
    folder: Any


def teach(settings: Mapping[str, float], plan: Plan, seeds: Sequence[int]) -> None:
    """Let agents learn with some settings, part by part, in a worker of Ray Tune."""
    from ray import tune

    name = tune.get_context().get_trial_name()
    lessons = Lessons(plan, settings, seeds)
    kept = tune.get_checkpoint()
    if kept is not None:
        with kept.as_directory() as folder:
            lessons.go_on(Path(folder), name)
    while lessons.rung < plan.rungs:
        lessons.advance()
        with TemporaryDirectory() as folder:
            lessons.save(Path(folder), name)
            told = {
                "score": lessons.score(),
                "latest": lessons.latest(),
                "task_scores": lessons.task_scores(),
                "returns": lessons.returns[-1],
                "rung": lessons.rung,
                "inherited": lessons.inherited,
            }
            tune.report(told, checkpoint=tune.Checkpoint.from_directory(folder))


def conduct(
    search: Search, storage: str, resumes: bool, jobs: int | None, tell: Callable[[str], object]
) -> list[Trial]:
    """Try configurations on the Ray that is connected, and return what came of them.

    Parameters
    ----------
    search
        What is searched for.
    storage
        The folder of the study, or a URI of a place that all nodes can write to.
    resumes
        Whether to go on with what is there.
    jobs
        Trials at a time. None: one per core.
    tell
        Called with a line about every trial that ends, or that learned a part where none is given up.
    """
    os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")  # Ctrl-C ends it; what there is was saved
    os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", SAVE_EVERY_S)
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # a trial that fails is told of in a sentence
    from ray import tune

    taught = tune.with_resources(tune.with_parameters(teach, plan=search.plan, seeds=search.seeds), {"cpu": 1})
    path = trials_in(storage)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of experimental parts of Optuna
        if resumes and tune.Tuner.can_restore(path):
            tuner = tune.Tuner.restore(path, taught, resume_unfinished=True, restart_errored=True)
        else:
            tuner = _tuner(search, taught, storage, jobs, tell)
        grid = tuner.fit()
    results = sorted((grid[k] for k in range(len(grid))), key=lambda result: number_in(result.path))
    return [_trial(result) for result in results]


def trials_in(storage: str) -> str:
    """Return where Ray Tune keeps the trials of a study."""
    return f"{storage.rstrip('/')}/{FOLDER}"


def is_there(storage: str) -> bool:
    """Tell whether there is a study in a folder or at a URI."""
    from ray import tune

    return bool(tune.Tuner.can_restore(trials_in(storage)))


def remove(storage: str) -> None:
    """Remove the trials of a study."""
    from pyarrow.fs import FileSystem, FileType

    system, path = FileSystem.from_uri(trials_in(storage))
    if system.get_file_info(path).type is not FileType.NotFound:
        system.delete_dir(path)


def _tuner(search: Search, taught: Any, storage: str, jobs: int | None, tell: Callable[[str], object]) -> Any:
    """Return what begins a study."""
    from ray import tune

    how = _population(search) if search.is_population else _pruned(search)
    return tune.Tuner(
        taught,
        param_space=how.pop("space", None),
        tune_config=tune.TuneConfig(
            num_samples=search.trials,
            max_concurrent_trials=jobs,
            reuse_actors=True,  # a worker takes seconds to load what it needs
            trial_name_creator=trial_name,
            trial_dirname_creator=trial_name,
            **how,
        ),
        run_config=tune.RunConfig(
            name=FOLDER,
            storage_path=storage,
            failure_config=tune.FailureConfig(max_failures=MAX_FAILURES),
            checkpoint_config=tune.CheckpointConfig(num_to_keep=KEPT),
            callbacks=[teller(search, tell)],
            verbose=0,
        ),
    )


def trial_name(trial: Any) -> str:
    """Return what a trial of Ray Tune and its folder are called."""
    return f"trial_{trial.experiment_tag.partition('_')[0]}"


def number_in(path: str) -> int:
    """Return the number in the name of a trial or its folder: from 1 on, those of a population from 0 on."""
    return int(path.rpartition("trial_")[2])


def teller(search: Search, tell: Callable[[str], object]) -> Any:
    """Return a callback of Ray Tune that tells of trials."""
    from ray import tune

    class Teller(tune.Callback):
        def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: Any, **_: Any) -> None:
            if search.is_population:
                self._tell(trial, result)

        def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
            if not search.is_population:
                self._tell(trial, trial.last_result)

        def on_trial_error(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
            tell(f"{self._name(trial)} failed, see the table")

        def _name(self, trial: Any) -> str:
            return f"trial {number_in(str(trial)) + search.is_population} of {search.trials}"

        def _tell(self, trial: Any, told: Mapping[str, Any]) -> None:
            if "score" not in told:
                return
            plan = search.plan
            value = told["latest" if search.is_population else "score"]
            returns = ", ".join(
                f"{task.env} {mean:.1f}" for task, mean in zip(plan.tasks, told["returns"], strict=True)
            )
            parts = "" if told["rung"] == plan.rungs else f", {told['rung']} of {plan.rungs} parts"
            tell(f"{self._name(trial)}: {value:.3f} (returns: {returns}){parts}")

    return Teller()


def _pruned(search: Search) -> dict[str, Any]:
    """Return the parts of a study that Optuna searches, and in which what is hopeless is given up."""
    import optuna
    from ray.tune.schedulers import AsyncHyperBandScheduler
    from ray.tune.search.optuna import OptunaSearch

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = {name: distribution(where) for name, where in search.ranges().items()}
    sampler = optuna.samplers.TPESampler(
        seed=search.seed, multivariate=True, constant_liar=True, n_startup_trials=max(5, search.trials // 4)
    )
    found = OptunaSearch(space, metric="score", mode="max", points_to_evaluate=[search.start()], sampler=sampler)
    plan = search.plan
    scheduler = AsyncHyperBandScheduler(
        time_attr="rung",
        metric="score",
        mode="max",
        max_t=plan.rungs + 1,  # the last part ends by itself
        grace_period=min(LEAST_RUNGS, plan.rungs),
        reduction_factor=2,
    )
    return {"search_alg": found, "scheduler": scheduler}


def _population(search: Search) -> dict[str, Any]:
    """Return the parts of a study in which the worst inherit strengths and settings of the best, and change the latter."""
    from ray.tune.schedulers import PopulationBasedTraining
    from ray.tune.search.basic_variant import BasicVariantGenerator

    scheduler = PopulationBasedTraining(
        time_attr="rung",
        metric="latest",
        mode="max",
        perturbation_interval=1,
        quantile_fraction=WORST_SHARE,
        custom_explore_fn=Explorer(search.ranges(), search.seed),
        synch=True,  # all have learned equally long when they are compared, however few cores there are
    )
    space = {name: sampled(where) for name, where in search.ranges().items()}
    first = BasicVariantGenerator(points_to_evaluate=[search.start()], random_state=search.seed)
    return {"search_alg": first, "scheduler": scheduler, "space": space}


def distribution(where: Range) -> Any:
    """Return a range as Optuna's distribution."""
    from optuna.distributions import FloatDistribution, IntDistribution

    if where.whole:
        return IntDistribution(int(where.low), int(where.high), log=where.log)
    return FloatDistribution(where.low, where.high, log=where.log)


def sampled(where: Range) -> Any:
    """Return a range as Ray Tune's domain."""
    from ray import tune

    if where.whole:
        return (tune.lograndint if where.log else tune.randint)(int(where.low), int(where.high) + 1)
    return (tune.loguniform if where.log else tune.uniform)(where.low, where.high)


class Explorer:
    """Changes the settings that an heir took over: each a little, and some to whatever else is in their ranges.

    Parameters
    ----------
    ranges
        Those of the settings.
    seed
        Of what is drawn.
    """

    def __init__(self, ranges: Mapping[str, Range], seed: int) -> None:
        self.ranges, self._random = dict(ranges), np.random.default_rng(seed)

    def __call__(self, settings: dict[str, float]) -> dict[str, float]:
        """Return other settings, within their ranges."""
        return {name: self._changed(settings[name], where) for name, where in self.ranges.items()}

    def _changed(self, value: float, where: Range) -> float:
        low, high = (np.log([where.low, where.high]) if where.log else np.array([where.low, where.high])).tolist()
        if self._random.random() < FRESH:
            other = self._random.uniform(low, high)
        else:
            at = np.log(value) if where.log else value
            other = at + self._random.normal(0.0, BOLDNESS * (high - low))
        other = min(max(float(np.exp(other) if where.log else other), where.low), where.high)
        return round(other) if where.whole else other


def _trial(result: Any) -> Trial:
    told = result.metrics or {}
    error = "" if result.error is None else sentence_of(result.error)
    return Trial(
        settings=dict(result.config or {}),
        score=told.get("score"),
        latest=told.get("latest"),
        task_scores=tuple(told.get("task_scores", ())),
        returns=tuple(told.get("returns", ())),
        rung=told.get("rung", 0),
        inherited=told.get("inherited", 0),
        error=error,
        folder=result.checkpoint,
    )


def sentence_of(error: BaseException) -> str:
    """Return the last line of an error, which says what went wrong in a worker."""
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__
