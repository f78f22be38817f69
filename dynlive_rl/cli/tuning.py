"""Tuning as `dynlive tune` does it: the study asked for or gone on with, conducted, written down and told of."""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dynlive_rl._version import __version__
from dynlive_rl.agents.settings import ranges
from dynlive_rl.agents.tuning import report
from dynlive_rl.agents.tuning.cluster import LOCAL, connected
from dynlive_rl.agents.tuning.objective import Config, Plan, Task, task_of
from dynlive_rl.agents.tuning.report import Confirmed
from dynlive_rl.agents.tuning.study import Search, Trial, conduct, is_there, remove
from dynlive_rl.checks import drawn_seed
from dynlive_rl.writing import write_whole

from .common import load_environments, make_folder, taken
from .configuration import as_toml, nearest, read_options

FORMAT = 1
STEPS, SEEDS, PARTS, EPISODES, FRESH = 20_000, 2, 10, 10, 10
# Options that say what a study is: one that goes on has them in its file.
OWN = (
    "envs", "trials", "population", "storage", "seed", "steps", "seeds", "parts", "eval_episodes", "good", "confirm",
    "fields", "mode", "config", "set",
)  # fmt: skip


class Folder:
    """A study's folder, and the names of the files in it.

    Parameters
    ----------
    path
        The folder; it need not be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.description = path / "tune.json"
        self.best = path / "best.toml"
        self.table = path / "trials.csv"
        self.importances = path / "importances.png"
        self.agents = path / "agents"

    def clear(self) -> None:
        """Remove a study's files, and nothing else."""
        for file in (self.description, self.best, self.table, self.importances):
            file.unlink(missing_ok=True)
        shutil.rmtree(self.agents, ignore_errors=True)

    def write(self, content: dict[str, Any]) -> None:
        """Write what the study is, and what came of it."""
        write_whole(self.description, [json.dumps(content, indent=2).encode() + b"\n"])

    def read(self) -> dict[str, Any]:
        """Return what the study is.

        Raises
        ------
        ValueError
            If the file is damaged, or written by a later version.
        OSError
            If there is none.
        """
        try:
            content: dict[str, Any] = json.loads(self.description.read_text(encoding="utf-8"))
            if content["format"] > FORMAT:
                raise ValueError(f"{self.description} was written by a later version of DynLive")
            content["search"] = _search_of(content["search"])
        except FileNotFoundError:
            raise FileNotFoundError(f"there is no study in {self.path}: leave --resume out to begin one") from None
        except (KeyError, TypeError, json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{self.description} is damaged: {error}") from None
        return content


def _search_of(tree: dict[str, Any]) -> Search:
    plan = tree["plan"]
    tasks = tuple(Task(**task) for task in plan["tasks"])
    return Search(
        **tree
        | {
            "plan": Plan(**plan | {"tasks": tasks, "path": tuple(plan["path"])}),
            "fields": tuple(tree["fields"]),
            "seeds": tuple(tree["seeds"]),
        }
    )


# -- what is asked for -------------------------------------------------------------------------------------------------


def tune(options: argparse.Namespace) -> dict[str, Any]:
    """Conduct a study and write down what comes of it; returns what is to be told."""
    load_environments()
    folder = Folder(options.out)
    if options.resume:
        content = folder.read()
        if given := [name for name in OWN if getattr(options, name) not in (None, [])]:
            raise ValueError(
                f"the study in {options.out} says what it is: leave out {_option(given[0])} to go on with it"
            )
    else:
        content = _asked(options)
        if folder.description.exists() and not options.force:
            raise taken(options.out, "a study")
    make_folder(options.out)
    with connected(options.ray or LOCAL, options.jobs) as ray:
        if not options.resume:
            if is_there(content["storage"]) and not options.force:
                raise ValueError(f"there is a study in {content['storage']} already: begin anew with --force")
            remove(content["storage"])
            if options.seed is None and not options.json:
                print(f"seed {content['search'].seeds[0]}", flush=True)
            folder.clear()
            folder.write({**content, "search": asdict(content["search"])})
        return _conducted(ray, options, folder, content)


def _option(name: str) -> str:
    return "the environments" if name == "envs" else f"--{name.replace('_', '-')}"


def _asked(options: argparse.Namespace) -> dict[str, Any]:
    """Return what a new study is."""
    if not options.envs:
        raise ValueError("name environments, e.g. dynlive tune CartPole-v1 MountainCar-v0: `dynlive envs` lists them")
    if (options.trials is None) == (options.population is None):
        raise ValueError("say either --trials, how many configurations to try, or --population")
    if len(set(options.envs)) < len(options.envs):
        raise ValueError(f"every environment is named once, not as in {' '.join(options.envs)}")
    seed = drawn_seed() if options.seed is None else options.seed
    mode, config = read_options(options, None)
    is_population = options.population is not None
    plan = Plan(
        mode=mode,
        config=asdict(config),
        tasks=_tasks(options, seed),
        steps=options.steps or STEPS,
        rungs=min(options.parts or PARTS, options.steps or STEPS),
        episodes=options.eval_episodes or EPISODES,
        path=(os.getcwd(),),
    )
    search = Search(
        plan=plan,
        fields=_fields(options.fields, config, mode, is_population),
        trials=options.population or options.trials or 0,
        seeds=tuple(range(seed, seed + (options.seeds or (1 if is_population else SEEDS)))),
        seed=seed % 2**32,
        is_population=is_population,
    )
    confirm = FRESH if options.confirm is None else options.confirm
    storage = str(options.storage or options.out)
    storage = storage if "://" in storage else str(Path(storage).resolve())
    return {"format": FORMAT, "dynlive": __version__, "search": search, "storage": storage, "confirm": confirm}


def _tasks(options: argparse.Namespace, seed: int) -> tuple[Task, ...]:
    good = dict(options.good or ())
    for name, value in good.items():
        if name not in options.envs:
            raise ValueError(f"--good names {name}, which is none of the environments")
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"a good return in {name} must be a number, not {value!r}")
    return tuple(task_of(env, good.get(env), seed) for env in options.envs)


def _fields(asked: Sequence[str] | None, config: Config, mode: str, is_population: bool) -> tuple[str, ...]:
    """Return the names of the settings to search: those asked for, by name or group, or all."""
    known = {name: where for name, where in ranges(config) if not (is_population and where.at_birth)}
    found: list[str] = []
    for name in asked or known:
        some = [other for other in known if name in (other, other.partition(".")[0])]
        if not some:
            why = "can change in agents that live" if is_population else "has a range to search"
            raise ValueError(f"no setting {name} of mode {mode} {why}{nearest(name, list(known))}")
        found += some
    return tuple(dict.fromkeys(found))


# -- what comes of it --------------------------------------------------------------------------------------------------


def _conducted(ray: Any, options: argparse.Namespace, folder: Folder, content: dict[str, Any]) -> dict[str, Any]:
    search: Search = content["search"]
    say = _quiet if options.json else _say
    trials, best, settings = [], None, {}
    if search.trials:
        trials = conduct(search, content["storage"], options.resume, options.jobs, say)
        report.write_table(folder.table, trials, search)
        best = report.best_of(trials, search.plan, search.is_population)
        settings = best.settings
        _keep_agents(folder, best)
    shares = report.importances(trials, search) if trials and not search.is_population else {}
    if shares:
        report.draw_importances(shares, folder.importances)
    result = _scored(ray, content, settings, say) | {
        "best_trial": None if best is None else trials.index(best) + 1,
        "trial_score": None if best is None else best.latest if search.is_population else best.score,
        "importances": dict(sorted(shares.items(), key=lambda item: -item[1])),
    }
    config = search.plan.configuration(result["settings"])
    folder.best.write_text(_comment(search, result) + as_toml(search.plan.mode, config), encoding="utf-8")
    folder.write({**content, "search": asdict(search), "result": result})
    say(f"wrote {folder.best}")
    return {
        "envs": [task.env for task in search.plan.tasks],
        "trials": len(trials),
        **result,
        "config": str(folder.best),
    }


def _say(text: str) -> None:
    print(text, flush=True)


def _quiet(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _keep_agents(folder: Folder, best: Trial) -> None:
    """Copy the agents of the best trial, in their own format."""
    if best.folder is not None:
        shutil.rmtree(folder.agents, ignore_errors=True)
        with best.folder.as_directory() as kept:
            make_folder(folder.agents)
            for file in Path(kept).glob("*.dynlive"):
                shutil.copyfile(file, folder.agents / file.name)


def _scored(ray: Any, content: dict[str, Any], settings: dict[str, float], say: Any) -> dict[str, Any]:
    """Score what the search found beside what it began with, on fresh seeds, and return the better one."""
    search, fresh = content["search"], content["confirm"]
    plan: Plan = search.plan
    if not fresh:
        return {"settings": settings, "score": None, "before": None}
    seeds = range(search.seed + report.FRESH_SEEDS, search.seed + report.FRESH_SEEDS + fresh)
    several = [{}, settings] if settings else [{}]
    scores = report.confirm(ray, plan, several, seeds)
    say(f"on {fresh} fresh seeds, the configuration at first: {_told(plan, scores[0])}")
    if settings:
        say(f"on {fresh} fresh seeds, the best of the trials: {_told(plan, scores[1])}")
    best = max(range(len(scores)), key=lambda k: scores[k].score)
    if best < len(several) - 1:
        say("nothing better was found than the configuration at first")
    return {"settings": several[best], "score": scores[best]._asdict(), "before": scores[0]._asdict()}


def _told(plan: Plan, confirmed: Confirmed) -> str:
    low, high = confirmed.interval
    returns = ", ".join(f"{task.env} {mean:.1f}" for task, mean in zip(plan.tasks, confirmed.returns, strict=True))
    return f"score {confirmed.score:.3f} ({low:.3f}–{high:.3f}), returns in the end: {returns}"


def _comment(search: Search, result: dict[str, Any]) -> str:
    """Return the first line of the file with the best configuration."""
    envs = " ".join(task.env for task in search.plan.tasks)
    if result["score"] is None:
        return f"# By dynlive tune {envs}.\n"
    low, high = result["score"]["interval"]
    return f"# By dynlive tune {envs}: score {result['score']['score']:.3f} ({low:.3f}–{high:.3f}) on fresh seeds.\n"
