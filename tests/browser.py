"""A real browser for tests: Debian's (or any other) Chromium, driven by Playwright; and axe-core, which finds barriers.

`make test` installs both, where npm is there; a Chromium is the system's (`apt install chromium`). Tests skip without them.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
AXE = ROOT / ".venv" / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@contextmanager
def chromium() -> Iterator[Any]:
    """Run a browser without a window."""
    playwright = pytest.importorskip("playwright.sync_api")
    path = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if path is None:
        pytest.skip("there is no Chromium: apt install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def barriers(page: Any, impacts: tuple[str, ...] = ("serious", "critical")) -> list[str]:
    """Return what axe-core finds on a page that is at least serious: rule, and the first place."""
    if not AXE.exists():
        pytest.skip("there is no axe-core: npm install --prefix .venv axe-core")
    page.add_script_tag(path=str(AXE))
    found = page.evaluate("axe.run({preload: false}).then(result => result.violations)")
    return [
        f"{one['id']} ({one['impact']}): {one['help']}; {one['nodes'][0]['html'][:200]}; {one['nodes'][0]['failureSummary']}"
        for one in found
        if one["impact"] in impacts
    ]
