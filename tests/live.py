"""A live page for tests: the server in a process of its own, and what is seen on the page."""

import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple


class Address(NamedTuple):
    """Where a page is."""

    host: str
    token: str
    process: int  # the server's id

    @property
    def origin(self):
        return f"http://{self.host}"

    @property
    def page(self):
        return f"{self.origin}/{self.token}/"

    @property
    def live(self):
        return f"ws://{self.host}/{self.token}/live"


@contextmanager
def live_server(*arguments):
    """Run `dynlive live` and yield its address; it ends as by Ctrl-C, with status 0."""
    command = [sys.executable, "-m", "dynlive_rl.cli", "live", *map(str, arguments), "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        told = process.stdout.readline()
        found = re.fullmatch(r"The page is at http://([\d.]+:\d+)/([\w-]{20,})/\n", told)
        assert found, told
        yield Address(*found.groups(), process.pid)
    finally:
        process.send_signal(signal.SIGINT)
        status = process.wait(timeout=20)
    assert status == 0


def learner_of(address):
    """Return the id of the learner's process."""
    for task in Path(f"/proc/{address.process}/task").iterdir():
        for child in (task / "children").read_text().split():
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
    raise LookupError("the server has no learner")


# -- what is seen on it -----------------------------------------------------------------------------------------------

COLOURS = """(id) => {
  const canvas = document.getElementById(id);
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return new Set(new Uint32Array(data.buffer)).size;
}"""
OVERLAP = """() => {
  const boxes = [...document.querySelectorAll(".card")].map((card) => card.getBoundingClientRect());
  const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
  return boxes.some((a, i) => boxes.slice(0, i).some((b) => meet(a, b)));
}"""


def number(page, selector):
    text = page.inner_text(selector).replace("\u202f", "").replace("−", "-")
    return float(text) if text not in ("–", "") else 0.0


def wait_until(condition, seconds=180.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def state(page, name):
    return page.evaluate(f"window.dynlive.state.{name}")
