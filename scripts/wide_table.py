"""The table of the wide suite: our agent beside its rivals after as many steps, with what a step costs."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import figures
from protocol import even_grid, outcome
from runs import Run
from tasks import TASKS, WIDE

HEAD = (
    "environment (goal)",
    "agent",
    "seeds",
    "steps played",
    "steps to the goal",
    "mean after as many steps as all",
    "final (lowest – highest)",
    "stays",
    "CPU ms a step",
)
NOTES = (
    "Medians over the seeds; greedy means of 20 episodes, every 1,000 steps up to 10,000 and every 2,500 beyond. Steps to the "
    "goal: at the first evaluation from which every evaluation of the next 2,000 steps, and at least three, reaches it; “>”: "
    "the median run did not. “… of …”: the run was cut, and ended before the suite's budget. Mean after as many steps as all: "
    "the last evaluation within the steps that every agent in this environment has played. Rivals are evaluated between their "
    "rollouts, the longest of which end beyond the budget: what comes more than 1,024 steps late does not count. Stays: share "
    "of evaluations at or above the goal, from the first one that reaches it on. CPU: learning and the environment's own step, "
    "without evaluation."
)

LATE = 1_024  # steps of a rollout, after which an evaluation still counts as one when it was due


def write(runs: list[Run], folder: Path) -> str:
    """Write table.md, summary.json and learning curves into a folder, and return the table."""
    runs = [within_budget(run) for run in runs]
    text = table(runs)
    (folder / "table.md").write_text(text + "\n")
    (folder / "summary.json").write_text(json.dumps(figures.summary(runs), indent=1) + "\n")
    figures.learning_curves(runs, folder / "learning_curves")
    return text


def within_budget(run: Run) -> Run:
    """Return a run whose curve ends at its budget, or at most `LATE` steps after it.

    Later evaluations go. Until then the last one that counts holds, as the rollout in which the budget ends is learned from
    later; where there was none yet, the run stays as it is.
    """
    curve, budget = run["curve"], run["budget"]
    end = int(np.searchsorted(curve["steps"], budget + LATE, side="right"))
    if end in (0, len(curve["steps"])):
        return run
    kept = {name: rows[:end] for name, rows in curve.items()}
    if kept["steps"][-1] < budget:
        seconds = {name: float(np.interp(budget, curve["steps"], curve[name])) for name in ("wall_s", "cpu_s")}
        at_end = {"steps": budget, "mean": kept["mean"][-1], **seconds}
        kept = {name: [*rows, at_end[name]] for name, rows in kept.items()}
    return run | {"curve": kept}


def table(runs: Sequence[Run]) -> str:
    """Return a Markdown table with a row for each agent in each environment, also for those where nobody has played yet."""
    groups = figures.groups([within_budget(run) for run in runs])
    lines = [f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|"]
    for env_id in dict.fromkeys([*WIDE, *(env_id for env_id, _ in groups)]):
        here = {agent: group for (env_of, agent), group in groups.items() if env_of == env_id}
        end = min((run["budget"] for group in here.values() for run in group), default=0)
        rows = [cells(agent, group, end) for agent, group in here.items()]
        rows = rows or [["not run yet", *["–"] * (len(HEAD) - 2)]]
        lines += [f"| {' | '.join([called(env_id), *row])} |" for row in rows]
    return "\n".join([*lines, "", NOTES])


def called(env_id: str) -> str:
    """Return an environment's name with its goal, if there is one."""
    goal = TASKS[env_id].threshold
    return env_id.removeprefix("Wide/") + ("" if goal is None else f" ({goal:,.4g})")


def cells(agent: str, group: Sequence[Run], end: int) -> list[str]:
    """Return a row of the table: an agent's runs in one environment, of which all agents have played `end` steps."""
    outcomes = [outcome(run) for run in group]
    finals = [mean_by(run, run["budget"]) for run in group]
    stays = [each.stays for each, final in zip(outcomes, finals, strict=True) if None not in (each.stays, final)]
    solved = sum(each.solved for each in outcomes)
    until = figures.median_until(outcomes, "steps")
    some = f" ({solved} of {len(group)} seeds)" if 0 < solved < len(group) else ""
    goal = TASKS[group[0]["env"]].threshold
    return [
        agent,
        str(len(group)),
        played(group),
        "–" if goal is None or until is None else (">" if until["more"] else "") + f"{until['median']:,.0f}" + some,
        mean_after(group, end),
        spread(finals),
        f"{np.mean(stays):.2f}" if stays else "–",
        milliseconds(group),
    ]


def played(group: Sequence[Run]) -> str:
    """Return how many steps runs had, and of how many if they were cut."""
    budget, whole = min(run["budget"] for run in group), TASKS[group[0]["env"]].budget
    return f"{budget:,}" if budget >= whole else f"{budget:,} of {whole:,}"


def mean_by(run: Run, steps: int) -> float | None:
    """Return what the last evaluation that was due up to so many steps said; None where there was none yet."""
    evaluated, grid = np.array(run["curve"]["steps"]), np.array([0, *even_grid(run["budget"])])
    due = grid[np.searchsorted(grid, evaluated, side="right") - 1]
    last = int(np.searchsorted(np.where(evaluated <= due + LATE, due, evaluated), steps, side="right")) - 1
    return None if last < 0 else float(run["curve"]["mean"][last])


def mean_after(group: Sequence[Run], steps: int) -> str:
    """Return the median over runs after so many steps; – where one was not evaluated yet."""
    means = [mean_by(run, steps) for run in group]
    return "–" if None in means else f"{number(np.median(means))} at {steps:,}"


def spread(values: Sequence[float | None]) -> str:
    """Return the median, and the lowest and the highest of more than one; – where one is not known."""
    if None in values:
        return "–"
    return number(np.median(values)) + (f" ({number(min(values))} – {number(max(values))})" if len(values) > 1 else "")


def milliseconds(group: Sequence[Run]) -> str:
    """Return the median over runs of the CPU milliseconds that a step took."""
    costs = [run["curve"]["cpu_s"][-1] / run["curve"]["steps"][-1] * 1e3 for run in group]
    return f"{np.median(costs):.2g}"


def number(value: Any) -> str:
    """Write a return with as many places as it needs."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
