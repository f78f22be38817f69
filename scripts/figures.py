"""What the run files of a comparison add up to: summary.json, table.md, learning curves and performance profiles."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap, trim_mean

from baselines import PUBLISHED_FINAL
from protocol import TASKS

mpl.use("Agg")
import matplotlib.pyplot as plt

US = "dynlive"
Run = dict[str, Any]


def read(folder: Path, agents: Sequence[str]) -> list[Run]:
    """Return all runs in a folder, in the order of the tasks, the agents and the seeds; files of other studies are none."""
    runs = [json.loads(path.read_text()) for path in folder.glob("*_*_*.json")]
    tasks = list(TASKS)
    return sorted(
        (run for run in runs if "solved_at" in run and run.get("env") in TASKS and "agent" in run),
        key=lambda run: (tasks.index(run["env"]), [*agents, run["agent"]].index(run["agent"]), run["seed"]),
    )


def write(runs: list[Run], folder: Path) -> str:
    """Write summary, table and figures into a folder, and return the table."""
    rows = summary(runs)
    (folder / "summary.json").write_text(json.dumps(rows, indent=1) + "\n")
    text = table(rows)
    (folder / "table.md").write_text(text + "\n")
    learning_curves(runs, folder / "learning_curves")
    profiles(runs, folder / "profiles")
    return text


# -- numbers -----------------------------------------------------------------------------------------------------------


def iqm(values: NDArray[np.float64], axis: int = 0) -> Any:
    """Return the interquartile mean: the mean without the lowest and the highest quarter (Agarwal et al., 2021)."""
    return trim_mean(values, 0.25, axis=axis)


def interval(values: NDArray[np.float64], statistic: Any = iqm) -> NDArray[np.float64]:
    """Return the 95 % bootstrap interval (2, ...) of a statistic over runs, values (runs, ...); one run has none.

    Every environment is a stratum of its own, so that the stratified bootstrap over its runs is the plain one.
    """
    if len(values) < 2:
        return np.stack([statistic(values, axis=0)] * 2)
    low_high = bootstrap(
        (values,), statistic, n_resamples=2000, method="percentile", vectorized=True, axis=0, rng=0
    ).confidence_interval
    return np.stack([low_high.low, low_high.high])


def groups(runs: list[Run]) -> dict[tuple[str, str], list[Run]]:
    """Return the runs of every environment and agent, in the order in which they come."""
    result: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        result.setdefault((run["env"], run["agent"]), []).append(run)
    return result


def median_until(group: list[Run], solved: str, limit: str) -> dict[str, Any] | None:
    """Return the median of what it took to solve; where the median run did not, it is only known to be more.

    Runs that did not solve count as their limit. None if the runs' files do not hold it.
    """
    if any(run["solved_at"] is not None and run.get(solved) is None for run in group):
        return None
    taken = [np.inf if run["solved_at"] is None else run[solved] for run in group]
    at_least = [run.get(limit, np.nan) if value == np.inf else value for run, value in zip(group, taken, strict=True)]
    median = float(np.median(at_least))
    return None if np.isnan(median) else {"median": round(median, 3), "more": bool(np.isinf(np.median(taken)))}


def times_ours(theirs: dict[str, Any] | None, ours: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return how many times as much as ours it took; None where neither is known well enough to say."""
    if theirs is None or ours is None or ours["median"] == 0 or (theirs["more"] and ours["more"]):
        return None
    times = round(theirs["median"] / ours["median"], 2)
    return {"times": times, "bound": "more" if theirs["more"] else "less" if ours["more"] else "exact"}


def summary(runs: list[Run]) -> list[dict[str, Any]]:
    """Return a row per environment and agent: steps and seconds to solve, how long it lasts, and ratios to ours."""
    rows = []
    for (env_id, agent), group in groups(runs).items():
        until = np.array([run["budget"] if run["solved_at"] is None else run["solved_at"] for run in group], np.float64)
        stays = [run["stays_solved"] for run in group if run["stays_solved"] is not None]
        stopped = any(run.get("stopped_early", False) for run in group)
        final = round(float(np.median([run["final"] for run in group])), 2)
        accepted = [run["accepted_at"] or np.inf for run in group if "accepted_at" in run]
        rows.append(
            {
                "env": env_id,
                "agent": agent,
                "seeds": [run["seed"] for run in group],
                "budget": group[0]["budget"],
                "threshold": group[0]["threshold"],
                "steps": median_until(group, "solved_at", "budget"),
                "steps_iqm": round(float(iqm(until)), 1),
                "steps_iqm_interval": [round(float(end), 1) for end in interval(until)],
                "solved": round(float(np.mean([run["solved_at"] is not None for run in group])), 4),
                "stays_solved": round(float(np.mean(stays)), 4) if stays else None,
                "final": PUBLISHED_FINAL[env_id, agent] if stopped else final,
                "final_is_published": stopped,
                "seconds": median_until(group, "solved_s", "learning_s"),
                "cpu_seconds": median_until(group, "solved_cpu_s", "learning_cpu_s"),
            }
            | ({"accepted_at": float(np.median(accepted))} if accepted and np.isfinite(np.median(accepted)) else {})
        )
    ours = {row["env"]: row for row in rows if row["agent"] == US}
    for row in rows:
        if row["agent"] != US and row["env"] in ours:
            row["versus_ours"] = {
                name: times_ours(row[name], ours[row["env"]][name]) for name in ("steps", "seconds", "cpu_seconds")
            }
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Return the summary as a Markdown table, with notes on what its marks mean."""
    lines = [
        "| environment | agent | seeds | steps to solve: median | IQM (95 %) | solved | stays | final | seconds | CPU s "
        f"| steps ÷ {US} | seconds ÷ {US} | CPU s ÷ {US} |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        low, high = row["steps_iqm_interval"]
        versus = row.get("versus_ours", {})
        accepted = f" (accepted at {row['accepted_at']:,.0f})" if "accepted_at" in row else ""
        cells = [
            row["env"],
            row["agent"],
            f"{len(row['seeds'])}",
            _amount(row["steps"]) + accepted,
            f"{row['steps_iqm']:,.0f} ({low:,.0f}–{high:,.0f})",
            f"{row['solved']:.0%}",
            "–" if row["stays_solved"] is None else f"{row['stays_solved']:.2f}",
            f"{row['final']:.1f}" + (" †" if row["final_is_published"] else ""),
            _amount(row["seconds"]),
            _amount(row["cpu_seconds"]),
            *(_times(versus.get(name)) for name in ("steps", "seconds", "cpu_seconds")),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    lines += [
        "",
        "Runs that did not solve count as their budget; “>”: the median run did not. Seconds are of learning alone, without "
        "import, compiling and evaluation. Stays: share of evaluations at or above the threshold from solving on, mean "
        "of the runs that solved. †: runs ended three evaluations after solving; the final is the published one.",
    ]
    return "\n".join(lines)


def _amount(amount: dict[str, Any] | None) -> str:
    return "–" if amount is None else (">" if amount["more"] else "") + _number(amount["median"])


def _times(ratio: dict[str, Any] | None) -> str:
    return "–" if ratio is None else {"more": ">", "less": "<", "exact": ""}[ratio["bound"]] + _number(ratio["times"])


def _number(value: float) -> str:
    """Write two digits or all before the point."""
    return f"{value:,.0f}" if value >= 10 or value == 0 else f"{value:.2g}"


# -- pictures ----------------------------------------------------------------------------------------------------------


def held(runs: list[Run], steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean (runs, steps) of each run's last evaluation so far; runs that ended early keep their last one."""
    rows = []
    for run in runs:
        at = np.array([point[0] for point in run["curve"]])
        means = np.array([point[1] for point in run["curve"]])
        rows.append(means[np.maximum(np.searchsorted(at, steps, side="right") - 1, 0)])
    return np.array(rows)


def learning_curves(runs: list[Run], path: Path) -> None:
    """Draw the interquartile mean over seeds of the greedy return against steps, with 95 % bootstrap intervals."""

    def draw(axes: Any, env_id: str, agent: str, group: list[Run], style: dict[str, Any]) -> None:
        steps = np.unique([point[0] for run in group for point in run["curve"]]).astype(np.float64)
        steps = steps[steps >= max(run["curve"][0][0] for run in group)]
        means = held(group, steps)
        axes.plot(steps, iqm(means), label=agent, **style)
        axes.fill_between(steps, *interval(means), color=style["color"], alpha=0.15, linewidth=0)
        axes.axhline(TASKS[env_id].threshold, color="grey", linewidth=0.8, linestyle=":")

    _panels(runs, path, draw, "greedy return: IQM, 95 %")


def profiles(runs: list[Run], path: Path) -> None:
    """Draw the share of runs solved within so many steps, with 95 % bootstrap intervals."""

    def draw(axes: Any, env_id: str, agent: str, group: list[Run], style: dict[str, Any]) -> None:
        until = np.array([np.inf if run["solved_at"] is None else run["solved_at"] for run in group])
        end = max(run["budget"] for run in group)
        steps = np.unique([*until[np.isfinite(until)], 100, end])
        solved = (until[:, None] <= steps).astype(np.float64)
        axes.step(steps, solved.mean(axis=0), where="post", label=agent, **style)
        axes.fill_between(steps, *interval(solved, np.mean), step="post", color=style["color"], alpha=0.15, linewidth=0)
        axes.set_ylim(-0.03, 1.03)

    _panels(runs, path, draw, "share of runs solved, 95 %")


def _panels(runs: list[Run], path: Path, draw: Any, label: str) -> None:
    """Draw one panel per environment with a line per agent, and save them as PNG and SVG."""
    parts = groups(runs)
    envs = list(dict.fromkeys(env_id for env_id, _ in parts))
    agents = list(dict.fromkeys(agent for _, agent in parts))
    columns = min(3, len(envs))
    height = -(-len(envs) // columns)
    with mpl.rc_context({"svg.hashsalt": "dynlive", "font.size": 9}):
        size = 4.6 * columns, 3.4 * height + 0.4
        figure, grid = plt.subplots(height, columns, figsize=size, squeeze=False, layout="constrained")
        lines: dict[str, Any] = {}
        colours = plt.get_cmap("tab10" if len(agents) <= 10 else "tab20")
        for axes in grid.flat[len(envs) :]:
            axes.remove()
        for axes, env_id in zip(grid.flat, envs, strict=False):
            for (env_of, agent), group in parts.items():
                if env_of == env_id:
                    ours = agent.startswith(US)
                    style = {"color": colours(agents.index(agent)), "linewidth": 2.2 if ours else 1.2}
                    draw(axes, env_id, agent, group, style)
            axes.set(title=env_id, xscale="log", xlabel="environment steps", ylabel=label)
            lines |= {line.get_label(): line for line in axes.get_lines() if line.get_label() in agents}
        named = [lines[agent] for agent in agents]
        figure.legend(handles=named, loc="outside lower center", ncols=min(len(named), 5), frameon=False)
        figure.savefig(path.with_suffix(".png"), dpi=130)
        figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
        plt.close(figure)
