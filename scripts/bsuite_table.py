"""What runs of bsuite add up to: scores by its own analysis, of experiments and of what they are about, and a radar plot."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from bsuite import sweep
from bsuite.bsuite import unpack_bsuite_id
from bsuite.experiments.summary_analysis import BSUITE_INFO

from bsuite_suite import AGENTS, EXPERIMENTS
from runs import Run

mpl.use("Agg")
import matplotlib.pyplot as plt

TOPICS = "basic", "noise", "scale", "exploration", "credit_assignment", "generalization", "memory"
# What bsuite calls tags: the experiments that are about a topic.
ABOUT = {topic: [name for name in EXPERIMENTS if f"{name}{sweep.SEPARATOR}0" in sweep.TAGS[topic]] for topic in TOPICS}
HEAD = (
    "experiment", "agent", "settings", "episodes", "seeds", "score", "settings that score less than 0.5", "CPU ms a step",
)  # fmt: skip
NOTES = (
    "Scores of bsuite's own analysis, from 0 to 1, mean over the seeds. “… of …”: not all settings were played, or not all "
    "episodes that bsuite asks for; its analysis takes the episodes that there are, and in fewer of them the first ones, of an "
    "agent that knows nothing, weigh more. What experiments are about counts as the mean of those that were played; †: some of "
    "these were cut, in settings or episodes. Those with MNIST are left out. dqn and ppo are stable-baselines3's, as they are "
    "by default."
)
JUDGED_FROM = {"deep_sea_stochastic": 100}  # episodes
Scores = dict[tuple[str, str], float]


def write(done: list[Run], folder: Path) -> str:
    """Write table.md and the radar plot into a folder, and return the tables."""
    text = tables(done)
    (folder / "table.md").write_text(text + "\n")
    radar(scored(done), folder / "radar")
    return text


# -- scores ------------------------------------------------------------------------------------------------------------


def groups(done: Sequence[Run]) -> dict[tuple[str, str], list[Run]]:
    """Return the runs of every experiment and agent, in bsuite's order and ours."""
    found: dict[tuple[str, str], list[Run]] = {}
    for run in sorted(done, key=lambda run: unpack_bsuite_id(run["bsuite_id"])[1]):
        found.setdefault((unpack_bsuite_id(run["bsuite_id"])[0], run["agent"]), []).append(run)
    order = [(name, agent) for name in EXPERIMENTS for agent in AGENTS]
    return {key: found[key] for key in order if key in found}


def scored(done: Sequence[Run]) -> Scores:
    """Return the scores of all experiments and agents."""
    return {key: score_of(some) for key, some in groups(done).items()}


def score_of(some: Sequence[Run]) -> float:
    """Return the score of an agent's runs of one experiment: the mean over its seeds."""
    name = unpack_bsuite_id(some[0]["bsuite_id"])[0]
    seeds = sorted({run["seed"] for run in some})
    frames = [frame([run for run in some if run["seed"] == seed]) for seed in seeds]
    with appending():
        return float(np.mean([BSUITE_INFO[name].score(each) if judged(name, each) else 0.0 for each in frames]))


def judged(name: str, rows: pd.DataFrame) -> bool:
    """Return whether bsuite's analysis finds anything to judge: by chance nothing counts as solved too early."""
    return bool(rows["episode"].max() >= JUDGED_FROM.get(name, 0))


def frame(some: Sequence[Run]) -> pd.DataFrame:
    """Return runs as bsuite reads them: a row for everything noted, up to the last episode that all have noted.

    bsuite averages what it finds at the highest number of episodes, so that a run with fewer would not count.
    """
    last = max(set.intersection(*(set(run["noted"]["episode"]) for run in some)))
    parts = [
        pd.DataFrame(run["noted"]).assign(
            bsuite_id=run["bsuite_id"],
            **{name: value for name, value in sweep.SETTINGS[run["bsuite_id"]].items() if value is not None},
        )
        for run in some
    ]
    rows = pd.concat(parts, ignore_index=True)
    return rows[rows["episode"] <= last]


@contextmanager
def appending() -> Iterator[None]:
    """Let series append others, as they did before pandas 2: bsuite's analysis of the deep sea still asks them to."""
    if hasattr(pd.Series, "append"):
        yield
        return
    pd.Series.append = lambda series, other: pd.concat([series, other])
    try:
        yield
    finally:
        del pd.Series.append


def topic_scores(scores: Scores, agent: str) -> dict[str, tuple[float, int]]:
    """Return what an agent scores in everything that experiments are about, and in how many of them."""
    found = {
        topic: [score for (name, other), score in scores.items() if other == agent and name in ABOUT[topic]]
        for topic in TOPICS
    }
    return {topic: (float(np.mean(those)), len(those)) for topic, those in found.items() if those}


# -- tables ------------------------------------------------------------------------------------------------------------


def tables(done: Sequence[Run]) -> str:
    """Return two Markdown tables: scores of what experiments are about, and of the experiments; and notes."""
    scores = scored(done)
    return "\n\n".join([by_topic(scores, cut(done)), by_experiment(done, scores), NOTES])


def by_topic(scores: Scores, cuts: set[tuple[str, str]]) -> str:
    """Return a Markdown table with a row for everything that experiments are about, and a column for each agent."""
    agents = [agent for agent in AGENTS if any(agent == other for _, other in scores)]
    found = {agent: topic_scores(scores, agent) for agent in agents}
    lines = [f"| about | {' | '.join(agents)} |", "|---" * (len(agents) + 1) + "|"]
    for topic in TOPICS:
        whole = len(ABOUT[topic])
        cells = []
        for agent in agents:
            score, count = found[agent].get(topic, (0.0, 0))
            dagger = " †" if any(other == agent and name in ABOUT[topic] for name, other in cuts) else ""
            some = f" ({count} of {whole} experiments)" if count < whole else ""
            cells.append("–" if count == 0 else f"{score:.2f}{dagger}{some}")
        lines.append(f"| {topic.replace('_', ' ')} | {' | '.join(cells)} |")
    return "\n".join(lines)


def cut(done: Sequence[Run]) -> set[tuple[str, str]]:
    """Return the experiments and agents of which bsuite asks for more settings or episodes than were played."""
    return {
        (name, agent)
        for (name, agent), some in groups(done).items()
        if len({run["bsuite_id"] for run in some}) < len(settings_of(name))
        or any(run["episodes"] < BSUITE_INFO[name].episode for run in some)
    }


def settings_of(name: str) -> list[str]:
    """Return all settings of an experiment."""
    return [bsuite_id for bsuite_id in sweep.SWEEP if unpack_bsuite_id(bsuite_id)[0] == name]


def by_experiment(done: Sequence[Run], scores: Scores) -> str:
    """Return a Markdown table with a row for each agent in each experiment."""
    lines = [f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|"]
    for (name, agent), some in groups(done).items():
        played = list(dict.fromkeys(run["bsuite_id"] for run in some))
        low = [each for each in played if score_of([run for run in some if run["bsuite_id"] == each]) < 0.5]
        row = [
            name,
            agent,
            part(len(played), len(settings_of(name))),
            part(min(run["episodes"] for run in some), BSUITE_INFO[name].episode),
            str(len({run["seed"] for run in some})),
            f"{scores[name, agent]:.2f}",
            ", ".join(map(label, low)) or "–",
            milliseconds(some),
        ]
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


def part(count: int, whole: int) -> str:
    """Write how many there are, and of how many if not all."""
    return f"{count:,}" if count == whole else f"{count:,} of {whole:,}"


def label(bsuite_id: str) -> str:
    """Return what a setting differs by from the others of its experiment, or its number if by nothing."""
    name, index = unpack_bsuite_id(bsuite_id)
    all_settings = [sweep.SETTINGS[each] for each in settings_of(name)]
    own = sweep.SETTINGS[bsuite_id]
    return "·".join(str(own[key]) for key in own if any(other[key] != own[key] for other in all_settings)) or str(index)


def milliseconds(some: Sequence[Run]) -> str:
    """Return the CPU milliseconds that a step took, of runs that measured it."""
    timed = [run for run in some if "cpu_s" in run]
    steps = sum(run["noted"]["steps"][-1] for run in timed)
    return f"{sum(run['cpu_s'] for run in timed) / steps * 1e3:.2g}" if timed else "–"


# -- the radar plot ----------------------------------------------------------------------------------------------------


def radar(scores: Scores, path: Path) -> None:
    """Draw each agent's scores around a circle, as PNG and SVG; of agents that have three or more.

    What an agent has not played is drawn as 0, as bsuite does.
    """
    found: dict[str, Any] = {agent: topic_scores(scores, agent) for agent in AGENTS}
    found = {agent: each for agent, each in found.items() if len(each) >= 3}
    if not found:
        return
    topics = [topic for topic in TOPICS if any(topic in each for each in found.values())]
    around = np.linspace(0, 2 * np.pi, len(topics), endpoint=False)
    with mpl.rc_context():
        mpl.rcdefaults()  # bsuite sets a style of its own for the whole process
        mpl.rcParams.update({"svg.hashsalt": "dynlive", "font.size": 9})
        figure, axes = plt.subplots(figsize=(5.2, 5.2), subplot_kw={"projection": "polar"}, layout="constrained")
        for agent, each in found.items():
            values = [each.get(topic, (0.0, 0))[0] for topic in topics]
            (line,) = axes.plot([*around, 0], [*values, values[0]], label=agent)
            axes.fill([*around, 0], [*values, values[0]], color=line.get_color(), alpha=0.12)
        axes.set(ylim=(0, 1), yticks=[0.25, 0.5, 0.75, 1])
        axes.tick_params(axis="x", pad=14)
        axes.set_xticks(around, [topic.replace("_", " ") for topic in topics])
        figure.legend(loc="outside lower center", ncols=3, frameon=False)
        figure.savefig(path.with_suffix(".png"), dpi=130)
        figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
        plt.close(figure)
