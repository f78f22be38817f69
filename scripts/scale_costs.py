"""What studies cost on many cores: measured here, and projected to 10, 100 and 1,000 of them.

`--measure` lets one agent learn in each environment, a fifth of the budget in a process of its own, and keeps what that took
beside learning itself (results/scale/measured.json); `--ray` says what a run costs on Ray beside local processes. Without, the
table is made of what was measured before, and of the learning times in results/study.

Assumptions: every core is as quick as those here; runs begin in the study's order, as cores become free; a run costs what the
mean of its kind cost, its evaluations what ours cost in that environment; a node has eight cores and compiles the kernels once.
"""

import argparse
import heapq
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from compare import KEY
from runs import Study, positive
from tasks import CLASSIC
from workers import ONE_THREAD, attempt

OUT, STUDY = Path("results/scale"), Path("results/study")
CORES = (1, 2, 10, 100, 1_000)
CORES_PER_NODE = 8
BSUITE_STEP_S = 350e-6  # of a rehearsing agent, as in results/study/costs.md between CartPole and Pendulum
SCRIPTS = Path(__file__).parent

FEW = [*range(1, 11), 12, 14, 17, 20, 25]
# Steps at most of every setting of bsuite 0.3.6, by experiment: episodes · steps of an episode. Its MNIST is downloaded, and
# left out.
BSUITE = (
    {f"bandit{kind}": [10_000] * 20 for kind in ("", "_noise", "_scale")}
    | {f"cartpole{kind}": [1_000 * 1_000] * 20 for kind in ("", "_noise", "_scale", "_swingup")}
    | {f"catch{kind}": [10_000 * 9] * 20 for kind in ("", "_noise", "_scale")}
    | {f"deep_sea{kind}": [10_000 * size for size in range(10, 52, 2)] for kind in ("", "_stochastic")}
    | {"discounting_chain": [1_000 * 100] * 20}
    | {"memory_len": [10_000 * (length + 1) for length in [*FEW, *range(30, 105, 10)]]}
    | {"memory_size": [10_000 * 2] * 17}
    | {f"mountain_car{kind}": [1_000 * 1_000] * 20 for kind in ("", "_noise", "_scale")}
    | {"umbrella_distract": [10_000 * 20] * 23}
    | {"umbrella_length": [10_000 * length for length in [*FEW, *range(30, 105, 10)]]}
)


# -- measured ----------------------------------------------------------------------------------------------------------


def children_cpu_s() -> float:
    """Return the CPU seconds of all processes that were started and have ended."""
    times = os.times()
    return times.children_user + times.children_system


def whole_run(env_id: str, agent: str, steps: int | None = None, **environment: str) -> dict[str, float]:
    """Return what a run takes: CPU and wall-clock seconds of its process, learning, and evaluations."""
    command = [str(SCRIPTS / "compare.py"), "--one", "--envs", env_id, "--agents", agent, "--seeds", "1000"]
    command += [] if steps is None else ["--steps", str(steps)]
    before, start = children_cpu_s(), time.perf_counter()
    os.environ.update(environment)
    run, problem = attempt(command, lambda _: None)
    for name in environment:
        del os.environ[name]
    if run is None:
        raise RuntimeError(problem)
    curve = run["curve"]
    return {
        "cpu_s": children_cpu_s() - before,
        "wall_s": time.perf_counter() - start,
        "learning_cpu_s": curve["cpu_s"][-1],
        "setup_cpu_s": run["compile_s"],
        "evaluations": len(curve["steps"]),
    }


def measure() -> dict[str, Any]:
    """Measure a run in every environment, and what a node pays that has no compiled kernels yet."""
    whole_run("CartPole-v1", "dynlive", 200)  # compiles
    evaluation_s, others = {}, []
    for env_id, task in CLASSIC.items():
        took = whole_run(env_id, "dynlive", task.budget // 5)  # most evaluations are early
        rest = took["cpu_s"] - took["learning_cpu_s"] - took["setup_cpu_s"]
        evaluation_s[env_id] = round(rest / took["evaluations"], 3)
        others.append(took["setup_cpu_s"])
        print(env_id, took, flush=True)
    cold = {}
    for agent in ("dynlive", "dynlive-live"):
        with tempfile.TemporaryDirectory() as folder:
            cold[agent] = [
                whole_run("CartPole-v1", agent, 200, NUMBA_CACHE_DIR=folder)[key] for key in ("cpu_s", "wall_s")
            ]
            warm = [whole_run("CartPole-v1", agent, 200, NUMBA_CACHE_DIR=folder)[key] for key in ("cpu_s", "wall_s")]
            cold[agent] = [round(one - other, 1) for one, other in zip(cold[agent], warm, strict=True)]
    return {"evaluation_s": evaluation_s, "setup_s": round(float(np.median(others)), 2), "cold_s": cold}


def compare_backends(runs: int) -> dict[str, float]:
    """Return the wall-clock seconds that a live run takes with local processes and with Ray, one at a time, side by side.

    From the first run that is done to the last: starting Ray is not in it, and whatever else the machine does slows both.
    """
    began: dict[str, tuple[float, int]] = {}
    ended: dict[str, float] = {}
    command = [str(SCRIPTS / "compare.py"), "--agents", "dynlive-live", "--steps", "2000", "--episodes", "20"]
    command += ["--seeds", f"1000-{999 + runs}", "--jobs", "1"]
    with tempfile.TemporaryDirectory() as folder:
        raw = {name: Path(folder) / name / "runs" for name in ("local", "ray")}
        processes = [
            subprocess.Popen(
                [sys.executable, *command, "--out", str(path.parent), *(["--ray"] if name == "ray" else [])],
                env=os.environ | ONE_THREAD,
                stdout=subprocess.DEVNULL,
            )
            for name, path in raw.items()
        ]
        while any(process.poll() is None for process in processes):
            for name, path in raw.items():
                merged = path.parent / "runs.jsonl"
                done = runs if merged.exists() else len(list(path.glob("*.json")))
                if done:
                    began.setdefault(name, (time.perf_counter(), done))
                if done == runs:
                    ended.setdefault(name, time.perf_counter())
            time.sleep(0.2)
    return {name: (ended[name] - start) / (runs - done) for name, (start, done) in began.items()}


# -- projected ---------------------------------------------------------------------------------------------------------


def finished(seconds: Iterable[float], cores: int, cold_s: float) -> float:
    """Return when the last run ends, if each begins on the core that is free first; every core waits for its node's kernels."""
    free = [cold_s] * cores
    for run_s in seconds:
        heapq.heapreplace(free, free[0] + run_s)
    return max(free)


def study_seconds(measured: dict[str, Any]) -> list[float]:
    """Return the CPU seconds of every run of the six-task study, evaluations and setup too."""
    seconds = []
    for run in Study(STUDY, KEY).read():
        curve = run["curve"]
        learning = curve.get("cpu_s", [None])[-1] or curve["wall_s"][-1]
        evaluations = measured["evaluation_s"][run["env"]] * len(curve["steps"])
        seconds.append(learning + evaluations + run.get("compile_s", measured["setup_s"]))
    return seconds


def bsuite_seconds(measured: dict[str, Any]) -> list[float]:
    """Return the CPU seconds of one seed of every setting of bsuite, at most."""
    return [measured["setup_s"] + BSUITE_STEP_S * steps for group in BSUITE.values() for steps in group]


def table(measured: dict[str, Any]) -> str:
    """Return a row per study: runs, core hours, and the time on so many cores."""
    heads = ["study", "runs", "core hours", "longest run", *(f"{cores:,} cores" for cores in CORES)]
    heads[4] = "1 core"
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    cold, live = measured["cold_s"]["dynlive"][0], measured.get("a_live_run_s", {"ray": 0, "local": 0})
    overhead = max(live["ray"] - live["local"], 0.0)
    for name, seconds in (
        ("six tasks", study_seconds(measured)),
        ("bsuite, one seed", bsuite_seconds(measured)),
        ("bsuite, 30 seeds", bsuite_seconds(measured) * 30),
    ):
        loaded = [one + overhead for one in seconds]
        times = [duration(finished(loaded, cores, cold)) for cores in CORES]
        cells = [name, f"{len(seconds):,}", f"{sum(seconds) / 3600:.1f}", duration(max(seconds)), *times]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def duration(seconds: float) -> str:
    """Return seconds as minutes, hours or days."""
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--measure", action="store_true", help="measure runs, some minutes")
    parser.add_argument(
        "--ray", type=positive, metavar="RUNS", help="measure so many live runs on Ray beside local ones"
    )
    options = parser.parse_args(arguments)
    OUT.mkdir(parents=True, exist_ok=True)
    file = OUT / "measured.json"
    measured = json.loads(file.read_text()) if file.exists() else {}
    if options.measure:
        measured |= measure()
    if options.ray:
        took = compare_backends(options.ray)
        measured["a_live_run_s"] = {name: round(seconds, 3) for name, seconds in took.items()}
    file.write_text(json.dumps(measured, indent=1) + "\n")
    text = table(measured)
    (OUT / "table.md").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
