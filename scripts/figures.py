"""What the runs of a comparison add up to: summary.json, tables, learning curves and performance profiles."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap, trim_mean

from baselines import PUBLISHED_FINAL
from protocol import TASKS, Outcome, outcome
from runs import Run

mpl.use("Agg")
import matplotlib.pyplot as plt

US = "dynlive"
NAMES = {"ppo": "PPO", "dqn": "DQN", "qrdqn": "QR-DQN", "a2c": "A2C", "ars": "ARS", "sac": "SAC"}


def ordered(runs: list[Run], agents: Sequence[str]) -> list[Run]:
    """Return runs in the order of the tasks, the agents and the seeds."""
    tasks = list(TASKS)
    return sorted(
        runs, key=lambda run: (tasks.index(run["env"]), [*agents, run["agent"]].index(run["agent"]), run["seed"])
    )


def write(runs: list[Run], folder: Path) -> str:
    """Write summary, tables and figures into a folder, and return the table."""
    rows = summary(runs)
    (folder / "summary.json").write_text(json.dumps(rows, indent=1) + "\n")
    text = table(rows)
    if len(rows) == 1:
        text += "\n\n" + seed_table(runs)
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


def median_until(group: list[Outcome], what: str) -> dict[str, Any] | None:
    """Return the median of the steps or seconds to solve; where the median run did not, it is only known to be more.

    None where a run did not measure them.
    """
    at_least = [getattr(each, what) for each in group]
    if None in at_least:
        return None
    taken = [value if each.solved else np.inf for value, each in zip(at_least, group, strict=True)]
    return {"median": round(float(np.median(at_least)), 3), "more": bool(np.isinf(np.median(taken)))}


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
        outcomes = [outcome(run) for run in group]
        until = np.array([each.steps for each in outcomes], np.float64)
        stopped = any(each.stopped_early for each in outcomes)
        stays = [each.stays for each in outcomes if each.stays is not None and not stopped]
        final = round(float(np.median([each.final for each in outcomes])), 2)
        accepted = [run["accepted_at"] or np.inf for run in group if "accepted_at" in run]
        rows.append(
            {
                "env": env_id,
                "agent": agent,
                "seeds": [run["seed"] for run in group],
                "budget": group[0]["budget"],
                "threshold": TASKS[env_id].threshold,
                "steps": median_until(outcomes, "steps"),
                "steps_iqm": round(float(iqm(until)), 1),
                "steps_iqm_interval": [round(float(end), 1) for end in interval(until)],
                "solved": round(float(np.mean([each.solved for each in outcomes])), 4),
                "stays": round(float(np.mean(stays)), 4) if stays else None,
                "final": PUBLISHED_FINAL[env_id, agent] if stopped else final,
                "final_is_published": stopped,
                "seconds": median_until(outcomes, "seconds"),
                "cpu_seconds": median_until(outcomes, "cpu_seconds"),
            }
            | ({"accepted_at": float(np.median(accepted))} if accepted and np.isfinite(np.median(accepted)) else {})
            | {
                name: round(float(np.median([run[name] for run in group])), 1)
                for name in ("us_per_step", "env_us_per_step")
                if all(name in run for run in group)
            }
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
            _stays(row),
            _final(row),
            _amount(row["seconds"]),
            _amount(row["cpu_seconds"]),
            *(_times(versus.get(name)) for name in ("steps", "seconds", "cpu_seconds")),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    lines += [
        "",
        "Steps to solve: at the first evaluation from which every evaluation of the next 2,000 steps, and at least three, "
        "reaches the threshold. Runs that did not solve count as their budget; “>”: the median run did not. Stays: share "
        "of evaluations at or above the threshold, from the first one that reaches it on, mean of the runs that ever do. "
        "Seconds are of learning alone, without import, compiling and evaluation. †: runs stopped after solving; the "
        "final is the published one, and how long it stays is not known.",
    ]
    return "\n".join(lines)


def seed_table(runs: list[Run]) -> str:
    """Return a Markdown table with a column per run, for one agent in one environment."""
    outcomes = [outcome(run) for run in runs]
    rows = {
        "final": [f"{each.final:.0f}" for each in outcomes],
        "steps to solve": [f"{each.steps:,}" if each.solved else f">{each.steps:,}" for each in outcomes],
        "stays": ["–" if each.stays is None else f"{each.stays:.2f}" for each in outcomes],
        "CPU µs per step": [
            f"{run['curve']['cpu_s'][-1] / run['curve']['steps'][-1] * 1e6:.0f}" if "cpu_s" in run["curve"] else "–"
            for run in runs
        ],
    }
    lines = ["| seed | " + " | ".join(str(run["seed"]) for run in runs) + " |", "|---" * (len(runs) + 1) + "|"]
    lines += [f"| {name} | " + " | ".join(cells) + " |" for name, cells in rows.items()]
    return "\n".join(lines)


def headline(rows: list[dict[str, Any]]) -> str:
    """Return a short Markdown table: our agent beside its best rival, a line per environment.

    The best rival is the one with the fewest steps; if not all of its runs solved the task, the best of those that always do
    stands beside it.
    """
    lines = [
        "| environment (threshold) | steps to solve: median | stays | final | rival with the fewest steps "
        "| best final of a rival |",
        "|---|---|---|---|---|---|",
    ]
    for ours in (row for row in rows if row["agent"] == US):
        rivals = [row for row in rows if row["env"] == ours["env"] and not row["agent"].startswith(US)]
        quick = sorted((row for row in rivals if not row["steps"]["more"]), key=lambda row: row["steps"]["median"])
        always = [row for row in quick if row["solved"] == 1]
        named = quick[:1] if quick[:1] == always[:1] else quick[:1] + always[:1]
        best = max(rivals, key=lambda row: row["final"], default=None)
        cells = [
            ours["env"] + ("" if ours["threshold"] is None else f" ({ours['threshold']:g})"),
            f"**{_amount(ours['steps'])}**" + _of(ours),
            _stays(ours),
            _final(ours),
            ", ".join(f"{_called(row)} {_amount(row['steps'])}" + _of(row) for row in named) or "–",
            "–" if best is None else f"{_called(best)} {_final(best)}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def costs(rows: list[dict[str, Any]]) -> str:
    """Return a Markdown table of the microseconds that a step of learning takes, beside the environment's own."""
    timed = {(row["env"], row["agent"]): row for row in rows if "us_per_step" in row}
    agents = list(dict.fromkeys(agent for _, agent in timed))
    lines = ["| environment | its own step | " + " | ".join(agents) + " |", "|---" * (len(agents) + 2) + "|"]
    for env_id in dict.fromkeys(env_id for env_id, _ in timed):
        here = [timed.get((env_id, agent)) for agent in agents]
        own = min(row["env_us_per_step"] for row in here if row is not None)
        cells = ["–" if row is None else f"{_number(row['us_per_step'])} µs" for row in here]
        lines.append("| " + " | ".join([env_id, f"{_number(own)} µs", *cells]) + " |")
    return "\n".join(lines)


def _called(row: dict[str, Any]) -> str:
    return NAMES.get(row["agent"], row["agent"].replace("-", " "))


def _of(row: dict[str, Any]) -> str:
    seeds = len(row["seeds"])
    return "" if row["solved"] == 1 else f" ({round(row['solved'] * seeds)} of {seeds} seeds)"


def _stays(row: dict[str, Any]) -> str:
    return "–" if row["stays"] is None else f"{row['stays']:.2f}"


def _final(row: dict[str, Any]) -> str:
    return f"{row['final']:.1f}" + (" †" if row["final_is_published"] else "")


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
        last = np.searchsorted(run["curve"]["steps"], steps, side="right") - 1
        rows.append(np.array(run["curve"]["mean"])[np.maximum(last, 0)])
    return np.array(rows)


def learning_curves(runs: list[Run], path: Path) -> None:
    """Draw the interquartile mean over seeds of the greedy return against steps, with 95 % bootstrap intervals."""

    def draw(axes: Any, env_id: str, agent: str, group: list[Run], style: dict[str, Any]) -> None:
        steps = np.unique([at for run in group for at in run["curve"]["steps"]]).astype(np.float64)
        steps = steps[steps >= max(run["curve"]["steps"][0] for run in group)]
        means = held(group, steps)
        axes.plot(steps, iqm(means), label=agent, **style)
        axes.fill_between(steps, *interval(means), color=style["color"], alpha=0.15, linewidth=0)
        if (threshold := TASKS[env_id].threshold) is not None:
            axes.axhline(threshold, color="grey", linewidth=0.8, linestyle=":")

    _panels(runs, path, draw, "greedy return: IQM, 95 %")


def profiles(runs: list[Run], path: Path) -> None:
    """Draw the share of runs solved within so many steps, with 95 % bootstrap intervals."""

    def draw(axes: Any, env_id: str, agent: str, group: list[Run], style: dict[str, Any]) -> None:
        until = np.array([each.steps if each.solved else np.inf for each in map(outcome, group)])
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
