"""What studies cost on many cores: measured here, and projected to 10, 100 and 1,000 of them.

`--measure` measures evaluations and the first start, `--ray` what a run costs on Ray beside local processes
(results/scale/measured.json). Without, the table is made of what was measured before, and of the runs in results/study.

Assumptions: every core is as quick as those here; runs begin in the study's order, as cores become free; evaluations cost what
ours cost in that environment; every core compiles the kernels for itself before its first run.
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

from bsuite_steps import STEPS as BSUITE
from compare import KEY
from dynlive_rl import DynLiveAgent
from dynlive_rl.agents.evaluation import play
from protocol import EVALUATION_SEED, arena
from runs import Study, positive
from tasks import CLASSIC
from workers import ONE_THREAD

OUT, STUDY = Path("results/scale"), Path("results/study")
CORES = (1, 2, 10, 100, 1_000)
BSUITE_STEP_S = 350e-6  # of a rehearsing agent, as in results/study/costs.md between CartPole and Pendulum
SETUP_S = 1.5  # to import and load compiled kernels, where a run did not measure it
LEARNED, EPISODES = 2_000, 100  # steps before an evaluation, and episodes of it
SCRIPTS = Path(__file__).parent


# -- measured ----------------------------------------------------------------------------------------------------------


def evaluation_s(env_id: str) -> float:
    """Return the CPU seconds of an evaluation by the protocol, of an agent that has learned a little."""
    agent = DynLiveAgent(env_id, seed=1_000).learn(LEARNED, progress_bar=False)
    place = arena(env_id, EPISODES)
    start = time.process_time()
    play(agent, place, EVALUATION_SEED, deterministic=True)
    return time.process_time() - start


def first_start_s(mode: str) -> dict[str, float]:
    """Return the seconds of CPU, and of wall-clock, that a process takes to compile all that an agent needs."""
    code = f"from dynlive_rl import DynLiveAgent; DynLiveAgent('CartPole-v1', mode={mode!r}).warm_up()"
    took = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in ("cold", "warm"):
            before, start = os.times(), time.perf_counter()
            subprocess.run([sys.executable, "-c", code], env=os.environ | {"NUMBA_CACHE_DIR": folder}, check=True)
            after = os.times()
            cpu = after.children_user + after.children_system - before.children_user - before.children_system
            took.append((cpu, time.perf_counter() - start))
    (cold, cold_wall), (warm, warm_wall) = took
    return {"cpu_s": round(cold - warm, 1), "wall_s": round(cold_wall - warm_wall, 1)}


def measure() -> dict[str, Any]:
    """Measure an evaluation in every environment, and what a node pays that has no compiled kernels yet."""
    return {
        "evaluation_s": {env_id: round(evaluation_s(env_id), 3) for env_id in CLASSIC},
        "first_start": {mode: first_start_s(mode) for mode in ("rehearsal", "live")},
    }


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
        seconds.append(learning + evaluations + run.get("compile_s", SETUP_S))
    return seconds


def bsuite_seconds() -> list[float]:
    """Return the CPU seconds of one seed of every setting of bsuite, at most."""
    return [SETUP_S + BSUITE_STEP_S * steps for group in BSUITE.values() for steps in group]


def table(measured: dict[str, Any]) -> str:
    """Return a row per study: runs, core hours, and the time on so many cores."""
    heads = ["study", "runs", "core hours", "longest run", *(f"{cores:,} cores" for cores in CORES)]
    heads[4] = "1 core"
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    cold, live = measured["first_start"]["rehearsal"]["cpu_s"], measured.get("a_live_run_s", {"ray": 0, "local": 0})
    overhead = max(live["ray"] - live["local"], 0.0)
    for name, seconds in (
        ("six tasks", study_seconds(measured)),
        ("bsuite, one seed", bsuite_seconds()),
        ("bsuite, 30 seeds", bsuite_seconds() * 30),
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
