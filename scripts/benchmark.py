"""Microseconds per step: the bare environment, learning, predicting, and what structure adds, as ratios of one run.

And seconds until an agent is ready to learn, in a process of its own that compiles everything and in later ones.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_args

import gymnasium as gym
import numpy as np

from dynlive_rl import DynLiveAgent, LearningRule, Network
from dynlive_rl.agents.modes import Mode
from dynlive_rl.agents.progress_bar import ProgressBar
from dynlive_rl.cli.runs import RunFolder, tables
from dynlive_rl.cli.session import Schedule, Session


def median_us(work: Callable[[], int], repeats: int) -> float:
    """Return the median over `repeats` runs of a run's microseconds per step; `work` returns its steps."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        steps = work()
        times.append((time.perf_counter() - start) / steps * 1e6)
    return float(np.median(times))


def bare(env_id: str, steps: int) -> int:
    env = gym.make(env_id)
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(steps)]
    for action in actions:
        _, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            env.reset()
    return steps


def learning(env_id: str, mode: Mode, steps: int) -> int:
    DynLiveAgent(env_id, mode=mode, seed=0).learn(steps, progress_bar=False)
    return steps


def recorded(env_id: str, mode: Mode, steps: int, folder: Path) -> int:
    """Learn as `dynlive train` does on a terminal: rows, ten checkpoints of which three stay, and a progress bar."""
    agent = DynLiveAgent(env_id, mode=mode, seed=0)
    schedule = Schedule(checkpoint_every=max(1, steps // 10), keep=3, eval_every=None, eval_episodes=1)
    run = RunFolder(folder)
    with tables(run, 0, with_evaluations=False) as (progress, evaluations), open(os.devnull, "w") as hidden:
        session = Session(agent, run, schedule, progress, evaluations, gym.spec(env_id), seed=0)
        with contextlib.redirect_stderr(hidden):
            agent.learn(steps, callback=session, progress_bar=ProgressBar(agent, steps))
        session.save()
    return steps


def recording_costs(env_id: str, steps: dict[Mode, int], repeats: int) -> dict[Mode, float]:
    """Return what rows, checkpoints and a bar add to a run's CPU time, as a ratio: medians of runs in turns."""
    ratios = {}
    for mode, count in steps.items():
        times = np.empty((2, repeats))
        for k in range(repeats):
            with tempfile.TemporaryDirectory() as folder:
                for which, work in enumerate(
                    (partial(learning, env_id), partial(recorded, env_id, folder=Path(folder)))
                ):
                    begin = time.process_time()
                    work(mode=mode, steps=count)
                    times[which, k] = time.process_time() - begin
        ratios[mode] = float(np.median(times[1]) / np.median(times[0]))
    return ratios


def print_recording(costs: dict[Mode, float]) -> None:
    print("\nWhat rows, ten checkpoints and a progress bar add to the CPU time of a run, as `dynlive train` has them")
    for mode, ratio in costs.items():
        print(f"{mode:12}{ratio - 1:8.1%}")


def live_network(steps: int) -> int:
    """One live step of a network alone: propagate, update_traces and apply_td_error, three compiled calls and their checks."""
    net = Network.layered(inputs=4, hidden=(64,), outputs=1, seed=0, rule=LearningRule(reserve=True))
    x = np.random.default_rng(0).random((steps, 4))
    for k in range(steps):
        net.propagate(x[k])
        net.update_traces([1.0], decay=0.9)
        net.apply_td_error(0.1)
    return steps


def structure_network(allowed: int, **rule: Any) -> Network:
    """Build a network of 64 hidden neurons and about so many allowed connections."""
    inputs = max(1, allowed // 64 // 2)
    return Network.layered(inputs=inputs, hidden=(64,), outputs=2, seed=0, rule=LearningRule(step="adam", **rule))


def structure_costs(repeats: int, sizes: Sequence[int]) -> list[dict[str, Any]]:
    """CPU time of learning with and without pruning and growth, in turns, from one state in which both are at work.

    Without them strengths hardly move, so that there are equally many connections: it is not their number that is measured.
    """
    rng = np.random.default_rng(0)
    rows = []
    for growth, fraction, size in [
        (g, f, s) for g, f in (("signal", 0.1), ("signal", 2.5), ("random", 0.1)) for s in sizes
    ]:
        off = structure_network(size, learning_rate=1e-9)
        on = structure_network(size, learning_rate=5e-4, growth=growth, prune_fraction=fraction)
        x = rng.random((64, off.input_count), dtype=np.float32)
        rewards = rng.normal(size=(64, 2)).astype(np.float32)

        def cpu_us(net: Network, calls: int, growth: str = growth, x: Any = x, rewards: Any = rewards) -> float:
            begin = time.process_time()
            for _ in range(calls):
                if growth == "signal":
                    net.rehearse(x, rewards)
                else:
                    net.propagate(x[0])
                    net.reinforce([-1.0, 1.0])
            return (time.process_time() - begin) / calls * 1e6

        cpu_us(on, 100)
        start = on.get_state()
        calls = max(3, 100_000 // size)
        times = np.empty((2, repeats))
        for k in range(repeats):
            for which, net in enumerate((off, on)):
                net.set_state(start)
                cpu_us(net, 1)
                times[which, k] = cpu_us(net, calls)
        without, costs = np.median(times[0]), np.median(times[1] - times[0])
        on.set_state(start)
        rows.append(
            {
                "growth": growth, "prune_fraction": fraction, "allowed": on.allowed_connections,
                "connected": round(on.connections / on.allowed_connections, 2), "us": round(float(without), 1),
                "ratio": round(float(1 + costs / without), 3),
                "ns_per_allowed": round(float(costs / on.allowed_connections * 1e3), 3),
            }
        )  # fmt: skip
    return rows


def print_structure(structure: list[dict[str, Any]]) -> None:
    print(
        "\nWhat pruning and growth add to learning (64 hidden neurons; signal: a batch of 64, random: one cycle), CPU time"
    )
    print(f"{'growth':8}{'φ':>5}{'allowed':>10}{'connected':>11}{'µs without':>12}{'ratio':>8}{'ns / allowed':>14}")
    for row in structure:
        print(
            "{growth:8}{prune_fraction:5}{allowed:10,}{connected:11.0%}{us:12.1f}{ratio:8.2f}{ns_per_allowed:14.2f}".format(
                **row
            )
        )


BARE = "bare environment"
START = """
from dynlive_rl import DynLiveAgent
DynLiveAgent({env!r}, mode={mode!r}, seed=0).warm_up()
"""


def start_s(env_id: str, mode: Mode, folder: str) -> float:
    """Seconds from a process's start until an agent is ready to learn, with compiled code kept in a folder."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", START.format(env=env_id, mode=mode)],
        env={**os.environ, "NUMBA_CACHE_DIR": folder},
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - start


def starts(env_id: str) -> dict[str, dict[str, float]]:
    """Seconds of the first start of each mode, with nothing compiled, and the median of the next three."""
    seconds = {}
    for mode in get_args(Mode):
        with tempfile.TemporaryDirectory() as folder:
            first, *later = [start_s(env_id, mode, folder) for _ in range(4)]
        seconds[mode] = {"first": round(first, 2), "later": round(float(np.median(later)), 2)}
    return seconds


def step_costs(env_id: str, steps: int, repeats: int) -> tuple[float, dict[str, float]]:
    """Seconds until everything is compiled or loaded, and microseconds a step of every kind."""
    start = time.perf_counter()
    agent = DynLiveAgent(env_id, seed=0)
    agent.warm_up()
    DynLiveAgent(env_id, mode="live", seed=0).warm_up()
    live_network(1)
    ready = time.perf_counter() - start
    observation = agent.observation_space.sample()

    def predicting() -> int:
        for _ in range(steps):
            agent.predict(observation, deterministic=True)
        return steps

    def learning_us(mode: Mode) -> float:
        return median_us(lambda: learning(env_id, mode, steps), repeats)

    env_us = median_us(lambda: bare(env_id, steps), repeats)
    return ready, {
        BARE: env_us,
        "learning, beyond the environment": learning_us("rehearsal") - env_us,
        "learning live, beyond the environment": learning_us("live") - env_us,
        "predict, one observation": median_us(predicting, repeats),
        "live network step (64 hidden)": median_us(lambda: live_network(steps), repeats),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env", default="CartPole-v1", help="environment id (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=10_000, help="steps per run (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each kind (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="2,000 steps, 3 runs, no first starts")
    parser.add_argument("--live-page", action="store_true", help="measure the live page alone; needs Chromium")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    arguments = parser.parse_args()
    if arguments.live_page:
        from live_page_costs import report

        report(arguments.quick, arguments.json)
        return
    steps, repeats = (2_000, 3) if arguments.quick else (arguments.steps, arguments.repeats)

    begun = {} if arguments.quick else starts(arguments.env)
    for mode, seconds in begun.items():
        print(f"{mode}: first start {seconds['first']:.1f} s, later ones {seconds['later']:.1f} s")
    ready, rows = step_costs(arguments.env, steps, repeats)
    print(f"compiled or loaded in {ready:.1f} s; medians of {repeats} runs of {steps:,} steps in {arguments.env}\n")
    print(f"{'':38}{'µs per step':>12}{'× environment':>15}")
    for name, us in rows.items():
        print(f"{name:38}{us:12.1f}{us / rows[BARE]:15.1f}")
    costs = recording_costs(arguments.env, {"rehearsal": steps, "live": 10 * steps}, repeats)
    print_recording(costs)
    structure = structure_costs(repeats, (768, 10_000) if arguments.quick else (768, 10_000, 100_000, 1_000_000))
    print_structure(structure)
    if arguments.json:
        results = {
            "env": arguments.env,
            "steps": steps,
            "start_s": begun,
            "ready_s": round(ready, 2),
            "us_per_step": rows,
            "recording": costs,
        }
        print(json.dumps(results | {"structure": structure}))


if __name__ == "__main__":
    main()
