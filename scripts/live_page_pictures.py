"""Pictures of the live page for its documentation: an agent that has learned, was hurt and had its actions swapped."""

import argparse
import io
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from live_page_costs import chromium, served

# Name, width, height, theme, and what is on it.
PICTURES = (
    ("live-page", 1280, 900, "light", "story"),
    ("live-page-dark", 1280, 900, "dark", "story"),
    ("live-page-768", 768, 1000, "light", "story"),
    ("live-page-400", 400, 800, "dark", "story"),
    ("live-page-gallery", 1280, 860, "light", "gallery"),
    ("live-page-tour", 1280, 800, "light", "tour"),
)


def mean_return(page: Page) -> float:
    return float(page.evaluate("window.dynlive.frame?.mean_return ?? 0"))


def wait_for_return(page: Page, low: float, high: float = float("inf"), seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not low <= mean_return(page) <= high and time.monotonic() < end:
        time.sleep(0.1)


def tell_story(page: Page) -> None:
    """Let the agent learn, cut a connection, kill neurons, swap its actions, and let it learn again."""
    page.click("#open-gallery")
    page.click("#worlds [data-world='CartPole-v1']")
    expect(page.locator("#said")).to_contain_text("A new agent")
    expect(page.locator("#status-text")).to_have_text("Paused")
    page.check("#speed input[value=full]", force=True)
    page.click("#run")
    wait_for_return(page, 400)
    page.evaluate("window.dynlive.cutStrongest()")
    time.sleep(1.5)
    page.click("#hurt-neurons")
    time.sleep(2)
    page.click("#swap")
    wait_for_return(page, 0, 250, seconds=20)
    wait_for_return(page, 400, seconds=40)
    page.evaluate("window.dynlive.cutStrongest()")
    page.check("#speed input[value=real]", force=True)
    time.sleep(2)


def show(page: Page, scene: str) -> None:
    expect(page.locator("#status-text")).to_have_text("Paused", timeout=120_000)
    if scene == "tour":
        page.click("#tour-do")
        time.sleep(2)
        return
    page.click("#tour-close")
    if scene == "gallery":
        page.click("#open-gallery")
        time.sleep(0.5)
    else:
        tell_story(page)
    page.mouse.move(2, 2)
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    expect(page.locator("#said")).to_be_empty(timeout=10_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"), help="folder (default: %(default)s)")
    folder = parser.parse_args().out
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        for name, width, height, theme, scene in PICTURES:
            with served("--seed", "1") as address:
                page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=theme)
                page.goto(address)
                show(page, scene)
                whole = scene == "story"
                image = Image.open(io.BytesIO(page.screenshot(full_page=whole)))
                page.close()
            few = image.convert("RGB").quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
            few.save(folder / f"{name}.png", optimize=True)
            print(folder / f"{name}.png", f"{(folder / f'{name}.png').stat().st_size / 1e3:.0f} kB")
        browser.close()


if __name__ == "__main__":
    main()
