"""What the live page costs and how quick it is: for `benchmark.py --live-page`."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import Pipe, Process
from typing import Any

import numpy as np

from dynlive_rl.agents.live_page.learner import Learner

REQUEST = {"world": "CartPole-v1", "mode": "rehearsal", "seed": 0, "hidden": 128}
WATCHED_S = 6.0


def learning_costs(steps: int, repeats: int) -> dict[str, float]:
    """CPU time that learning takes beside a closed page and an open one, of the learner alone, as ratios to `learn` itself.

    The same seed takes the same steps, so that the difference is the page's. Where other work slows the machine, more frames
    fall on a step than otherwise: what an open page costs is told for a machine of which it has all, from what a frame costs.
    """
    rows = []
    for _ in range(repeats):
        closed, taken, _ = _through_the_page(steps, watched=False)
        closed_ratio = closed / _alone(taken)
        opened, taken, frames = _through_the_page(steps, watched=True)
        bare = _alone(taken)
        rows.append((bare / taken * 1e6, closed_ratio, opened / bare, (opened - bare) / frames * 1e3))
    names = ("learn, µs a step", "page closed, ratio", "page open, ratio", "ms a frame")
    costs = dict(zip(names, np.median(rows, axis=0).tolist(), strict=True))
    return costs | {"page open, share of the learner's time at 30 frames a second": 0.03 * costs["ms a frame"]}


def _alone(steps: int) -> float:
    learner, drain = _learner()
    agent = learner._present.agent
    start = time.thread_time()
    agent.learn(steps, reset_num_timesteps=False, progress_bar=False)
    used = time.thread_time() - start
    drain.kill()
    return used


def _through_the_page(steps: int, watched: bool) -> tuple[float, int, int]:
    """Return the CPU time of learning, the steps that were taken, at least so many, and the frames that were made."""
    learner, drain = _learner()
    learner._watched, learner._speed, learner._running = watched, "full", True
    frames = 0
    send = learner._send_frame

    def count(hurried: bool = False) -> None:
        nonlocal frames
        frames += 1
        send(hurried)

    learner._send_frame = count  # type: ignore[method-assign]
    start = time.thread_time()
    agent = learner._present.agent
    first = agent.num_timesteps
    while agent.num_timesteps < first + steps:
        learner._learn_at_full_speed()
    used = time.thread_time() - start
    drain.kill()
    return used, agent.num_timesteps - first, max(frames, 1)


def _learner() -> tuple[Learner, Process]:
    """Make a learner, and a process that takes what it sends."""
    ours, theirs = Pipe()
    learner = Learner(ours, REQUEST)
    drain = Process(target=_drain, args=(theirs,), daemon=True)
    drain.start()
    learner._open(REQUEST)
    return learner, drain


def _drain(connection: Any) -> None:
    while True:
        connection.recv_bytes()


@contextmanager
def served(*arguments: str) -> Iterator[str]:
    """Run `dynlive live` and yield its address."""
    command = [sys.executable, "-m", "dynlive_rl.cli", "live", "CartPole-v1", *arguments, "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found is not None
        yield found[0]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=20)


def chromium() -> str:
    """Return where a Chromium is."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))


def page_speed(repeats: int) -> dict[str, float]:
    """Seconds until the page stands and until its agent does, and updates a second with 128 hidden neurons."""
    from playwright.sync_api import expect, sync_playwright

    with served("--hidden", "128") as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        loads, agents = [], []
        for _ in range(repeats):
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            start = time.perf_counter()
            page.goto(address, wait_until="load")
            loads.append(time.perf_counter() - start)
            expect(page.locator("#status-text")).to_have_text("Paused", timeout=120_000)
            agents.append(time.perf_counter() - start)
            page.close()
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(address)
        expect(page.locator("#status-text")).to_have_text("Paused", timeout=120_000)
        page.click("#tour-close")
        page.click("#run")
        rates = {}
        for speed in ("real", "full"):
            page.check(f"#speed input[value={speed}]", force=True)
            time.sleep(1)
            before, start = page.evaluate("window.dynlive.frames"), time.perf_counter()
            time.sleep(WATCHED_S)
            rates[speed] = (page.evaluate("window.dynlive.frames") - before) / (time.perf_counter() - start)
        browser.close()
    return {
        "page loaded, s": float(np.median(loads)),
        "agent there, s": float(np.median(agents)),
        "updates a second, real time": rates["real"],
        "updates a second, full speed": rates["full"],
    }


def report(quick: bool, as_json: bool) -> None:
    """Measure everything and print it."""
    rows = learning_costs(2_000 if quick else 6_000, 3) | page_speed(3 if quick else 5)
    print("\nThe live page, CartPole-v1 with 128 hidden neurons")
    for name, value in rows.items():
        print(f"{name:64}{value:10.3f}")
    if as_json:
        print(json.dumps(rows))
