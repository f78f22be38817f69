"""How many steps agents take to be good again after their world has changed, or after a part of them has died.

Every so many steps the world of an environment of `dynlive_rl.envs` changes, and the agent goes on learning. From each
change on the steps are counted to the first evaluation, the greedy mean over 20 episodes in the world as it is then, at or
above 450. What is not back by the next change counts as the whole period. Period 0 is the learning from nothing.
Stable-baselines3's agents have their tuned settings with constant rates and constant exploration. The damage study kills
hidden neurons of an agent trained on CartPole-v1.
"""

import argparse
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

import runs
from baselines import TUNED, Tuned, train_sb3
from dynlive_rl import DynLiveAgent
from dynlive_rl.agents.evaluation import play
from dynlive_rl.envs import Cycle, Draw, world_at
from figures import interval
from protocol import EVALUATION_SEED
from runs import Run
from workers import hand_in, tell

mpl.use("Agg")
import matplotlib.pyplot as plt

THRESHOLD = 450.0
EVERY = 100  # steps between evaluations
EPISODES = 20


@dataclass(frozen=True)
class Change:
    """An environment whose world changes every `period` steps, `changes` times."""

    env_id: str
    period: int
    changes: int


STUDIES = {
    "changing": Change("DynLive/ChangingCartPole-v0", 5_000, 50),
    "swap": Change("DynLive/SwapCartPole-v0", 10_000, 4),
    "jump": Change("DynLive/JumpCartPole-v0", 5_000, 10),
}
DAMAGE = "damage"
TRAINING, AFTERWARDS = 10_000, 5_000  # steps before and after the damage
SHARES = {"10": 0.1, "30": 0.3}  # of the hidden neurons of each network that die

OURS = {"dynlive": "rehearsal", "dynlive-live": "live"}
THEIRS = {
    "ppo": replace(
        TUNED["CartPole-v1", "ppo"],
        settings={**TUNED["CartPole-v1", "ppo"].settings, "learning_rate": 1e-3, "clip_range": 0.2},
    ),
    "dqn": replace(
        TUNED["CartPole-v1", "dqn"],
        settings={**TUNED["CartPole-v1", "dqn"].settings, "exploration_initial_eps": 0.04},
    ),
}
AGENTS = (*OURS, *THEIRS)
KEY = "study", "agent", "seed"


class Changes:
    """A run as the study sees it: evaluates the learner in the world as it is, until it is back, change by change.

    Attributes
    ----------
    recoveries
        Steps to be back in each period, None where it was not.
    """

    def __init__(self, study: Change, world: int) -> None:
        self.study, self.budget = study, study.period * (study.changes + 1)
        self.recoveries: list[int | None] = [None] * (study.changes + 1)
        self._world, self._next, self._period = world, EVERY, -1

    def begin(self) -> None:
        """Start the clock: everything so far was importing, compiling and building."""
        self._start = time.process_time()

    def passed(self, steps: int, policy: Any) -> bool:
        """Evaluate a policy (anything with `predict`) if that is due after so many steps; return whether to stop."""
        if steps >= self._next:
            self._next = (steps // EVERY + 1) * EVERY
            period = min((steps - 1) // self.study.period, self.study.changes)
            if period != self._period:
                self._period, self._arena = period, self._as_it_is(period * self.study.period)
            if self.recoveries[period] is None:
                before = time.process_time()
                mean = play(policy, self._arena, EVALUATION_SEED, deterministic=True).mean
                tell(steps, self.budget, mean)
                if mean >= THRESHOLD:
                    self.recoveries[period] = steps - period * self.study.period
                self._start += time.process_time() - before
        return steps >= self.budget

    def _as_it_is(self, step: int) -> Any:
        still = world_at(step, world=self._world, **gym.spec(self.study.env_id).kwargs)
        return gym.make_vec(
            self.study.env_id, num_envs=EPISODES, vectorization_mode="vector_entry_point", **still
        )  # fmt: skip

    def result(self) -> dict[str, Any]:
        """Return what a run of any agent holds."""
        return {
            "period": self.study.period,
            "recoveries": self.recoveries,
            "learning_cpu_s": round(time.process_time() - self._start, 1),
        }


def adapt(name: str, agent: str, seed: int) -> dict[str, Any]:
    """Train an agent through the changes of a study; the seed is the agent's and its world's."""
    study = STUDIES[name]
    course = Changes(study, seed)
    if agent in OURS:
        ours = DynLiveAgent(gym.make(study.env_id, world=seed), seed=seed, mode=OURS[agent])  # type: ignore[arg-type]
        ours.warm_up()
        course.begin()
        ours.learn(course.budget, callback=lambda _: not course.passed(ours.num_timesteps, ours), progress_bar=False)
        return course.result() | {"worlds": ours.task_changes}
    tuned: Tuned = THEIRS[agent]
    changes = {key: _faster(value, tuned.envs) for key, value in gym.spec(study.env_id).kwargs.items()}
    extra = train_sb3(study.env_id, seed, course, agent=agent, tuned=tuned, world={**changes, "world": seed})
    return course.result() | extra


def _faster(schedule: Any, environments: int) -> Any:
    """Return a schedule for environments side by side, which share the steps between two changes."""
    if isinstance(schedule, Cycle):
        return replace(schedule, every=schedule.every // environments)
    if isinstance(schedule, Draw):
        assert schedule.first is not None
        return replace(schedule, every=schedule.every // environments, first=schedule.first // environments)
    return schedule


def damage(seed: int) -> dict[str, Any]:
    """Train our agent on CartPole-v1, kill some of its hidden neurons, and let it learn on."""
    agent = DynLiveAgent("CartPole-v1", seed=seed)
    arena = gym.make_vec("CartPole-v1", num_envs=EPISODES, vectorization_mode="vector_entry_point")
    random = np.random.default_rng(seed)

    def greedy() -> float:
        return play(agent, arena, EVALUATION_SEED, deterministic=True).mean

    agent.learn(TRAINING, progress_bar=False)
    trained = agent.get_state()
    result: dict[str, Any] = {"before": greedy()}
    for name, share in SHARES.items():
        agent.set_state(trained)
        for network in (agent.actor, agent.critic):
            hidden = np.unique(np.concatenate([network.sources(j) for j in network.output_ids]))
            network.kill(random.choice(hidden, round(share * hidden.size), replace=False))
        result[f"at_once_{name}"] = greedy()
        back = 0 if result[f"at_once_{name}"] >= THRESHOLD else None
        for steps in range(EVERY, AFTERWARDS + 1, EVERY):
            if back is None:
                agent.learn(EVERY, progress_bar=False)
                back = steps if greedy() >= THRESHOLD else None
        result[f"back_{name}"] = back
    return result


# -- what the runs add up to -------------------------------------------------------------------------------------------


def taken(group: list[Run]) -> NDArray[np.float64]:
    """Return the steps to be back (runs, changes); what was not back counts as the period."""
    rows = [[run["period"] if k is None else k for k in run["recoveries"][1:]] for run in group]
    return np.array(rows, np.float64)


def table(done: list[Run]) -> str:
    """Return all change studies as one Markdown table, and the damage study as another."""
    groups = grouped(done)
    lines = [
        "| study | agent | seeds | changes | median | mean (95 %) | not back | first ten | last ten "
        "| last ÷ first (95 %) | mean ÷ dynlive |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for (study, agent), group in groups.items():
        if study == DAMAGE:
            continue
        steps = taken(group)
        low, high = interval(steps.mean(axis=1), np.mean)
        missed = np.mean([k is None for run in group for k in run["recoveries"][1:]])
        long = steps.shape[1] >= 20
        first, last = steps[:, :10].mean(axis=1), steps[:, -10:].mean(axis=1)
        ours = groups.get((study, "dynlive"))
        times = steps.mean() / taken(ours).mean() if ours and agent != "dynlive" else None
        lines.append(
            f"| {study} | {agent} | {len(group)} | {steps.shape[1]} | {np.median(steps):,.0f} "
            f"| {steps.mean():,.0f} ({low:,.0f}–{high:,.0f}) | {missed:.0%} "
            + (f"| {first.mean():,.0f} | {last.mean():,.0f} | {ratio(last, first)} " if long else "| – | – | – ")
            + (f"| {times:.1f} |" if times else "| – |")
        )
    if group := groups.get((DAMAGE, "dynlive"), []):
        lines += [
            "",
            "| hidden neurons killed | seeds | of the return at once: median | steps to be back: median | worst |",
        ]
        lines += ["|---|---|---|---|---|"]
        for name in SHARES:
            at_once = np.median([run[f"at_once_{name}"] / run["before"] for run in group])
            back = np.array([np.inf if run[f"back_{name}"] is None else run[f"back_{name}"] for run in group])
            worst = f"> {AFTERWARDS:,}" if np.isinf(back.max()) else f"{back.max():,.0f}"
            lines.append(f"| {name} % | {len(group)} | {at_once:.0%} | {np.median(back):,.0f} | {worst} |")
    return "\n".join(lines)


def ratio(some: NDArray[np.float64], others: NDArray[np.float64]) -> str:
    """Return the ratio of two means over the same runs, with a 95 % bootstrap interval where there are several."""
    times = f"{some.mean() / others.mean():.2f}"
    if len(some) < 2:
        return times
    drawn = np.random.default_rng(0).integers(len(some), size=(5_000, len(some)))
    low, high = np.percentile(some[drawn].mean(axis=1) / others[drawn].mean(axis=1), [2.5, 97.5])
    return f"{times} ({low:.2f}–{high:.2f})"


def draw(done: list[Run], folder: Path) -> None:
    """Draw the mean steps to be back against the change, one picture per study with a line per agent."""
    groups = grouped(done)
    for study in STUDIES:
        agents = [agent for name, agent in groups if name == study]
        if not agents:
            continue
        with mpl.rc_context({"svg.hashsalt": "dynlive", "font.size": 9}):
            figure, axes = plt.subplots(figsize=(7.2, 3.6))
            for agent in agents:
                steps = taken(groups[study, agent])
                style = {"color": f"C{AGENTS.index(agent)}", "linewidth": 2.2 if agent in OURS else 1.2}
                change = np.arange(1, steps.shape[1] + 1)
                axes.plot(change, steps.mean(axis=0), label=f"{agent} ({len(steps)})", **style)
                axes.fill_between(
                    change, *interval(steps, np.mean), color=style["color"], alpha=0.15, linewidth=0
                )  # fmt: skip
            axes.set(
                title=STUDIES[study].env_id, yscale="log", xlabel="change", ylabel=f"steps to be back at {THRESHOLD:g}"
            )
            axes.legend(fontsize=7, frameon=False)
            figure.tight_layout()
            figure.savefig(folder / f"{study}.png", dpi=130)
            figure.savefig(folder / f"{study}.svg", metadata={"Date": None})
            plt.close(figure)


def grouped(done: list[Run]) -> dict[tuple[str, str], list[Run]]:
    """Return all runs by study and agent."""
    names = [(study, agent) for study in (*STUDIES, DAMAGE) for agent in AGENTS]
    found = {name: [run for run in done if (run["study"], run["agent"]) == name] for name in names}
    return {name: group for name, group in found.items() if group}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    studies = (*STUDIES, DAMAGE)
    parser.add_argument("--studies", nargs="+", choices=studies, default=["changing"], help="(default: changing)")
    parser.add_argument("--agents", nargs="+", choices=AGENTS, default=["dynlive"], help="(default: dynlive)")
    runs.add_options(parser, out="results/adapt", seeds="0-4")
    options = parser.parse_args()
    keys = [
        (name, agent, seed)
        for name in options.studies
        for agent in options.agents
        for seed in options.seeds
        if name != DAMAGE or agent == "dynlive"  # only a rehearsing agent has networks that can be damaged
    ]
    if options.one:
        name, agent, seed = keys[0]
        result = damage(seed) if name == DAMAGE else adapt(name, agent, seed)
        hand_in({"study": name, "agent": agent, "seed": seed, **result})
        return 0
    commands: dict[runs.Key, list[str]] = {
        (name, agent, seed): [*(__file__, "--one", "--studies", name, "--agents", agent, "--seeds", str(seed))]
        for name, agent, seed in keys
    }
    return runs.tabulate(KEY, commands, options, table, lambda done: draw(done, options.out))


if __name__ == "__main__":
    sys.exit(main())
