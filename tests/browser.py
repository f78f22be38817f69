"""A real browser for tests: Debian's (or any other) Chromium, driven by Playwright; and axe-core, which finds barriers.

The tools are of the extra `dev`; a Chromium is the system's (`apt install chromium`). Tests skip without them.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SERIOUS = ("serious", "critical")
ALL = ("minor", "moderate", *SERIOUS)


@contextmanager
def running_chromium() -> Iterator[Any]:
    """Run a browser without a window."""
    playwright = pytest.importorskip("playwright.sync_api")
    path = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if path is None:
        assert not os.environ.get("CI"), "the browser tests need Chromium, which `make test` installs"
        pytest.skip("there is no Chromium: apt install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()


def barriers(page: Any, impacts: tuple[str, ...] = SERIOUS) -> list[str]:
    """Return what axe-core finds on a page, of these impacts: rule, and the first place."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page, options={"preload": False}).response["violations"]
    return [
        f"{one['id']} ({one['impact']}): {one['help']}; {one['nodes'][0]['html'][:200]}; {one['nodes'][0]['failureSummary']}"
        for one in found
        if one["impact"] in impacts
    ]
