"""The documentation site: it builds without a warning, has every public name, and can be used without the network."""

import importlib
import inspect
import re
import subprocess
import sys
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest

from browser import barriers, running_chromium
from sites import REPOSITORY, ROOT

pytest.importorskip("sphinx")

PUBLIC = ("dynlive_rl", "dynlive_rl.agents", "dynlive_rl.envs", "dynlive_rl.messages", "dynlive_rl.agents.sb3")
UNTOLD = {"__version__"}  # says what it is


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the site as `make docs` does."""
    folder = tmp_path_factory.mktemp("site")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-W",
        "--keep-going",
        "-q",
        "-d",
        folder / "doctrees",
        "docs",
        folder / "html",
    ]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder / "html"


class Page(HTMLParser):
    """The anchors of a page, what it loads, and where it leads."""

    def __init__(self, text):
        super().__init__()
        self.anchors, self.loads, self.leads = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        """Take note of an element."""
        given = dict(attributes)
        self.anchors |= {given[name] for name in ("id", "name") if given.get(name)}
        if tag == "a" and "href" in given:
            self.leads.append(given["href"])
        self.loads += [given[name] for name in ("src", "srcset") if name in given]
        if tag == "link" and given.get("rel") != "canonical":
            self.loads.append(given["href"])


def read(site):
    """Return all pages of the site by path."""
    return {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}


def test_every_public_name_is_in_the_reference(site):
    inventory = importlib.import_module("sphinx.util.inventory").InventoryFile
    with (site / "objects.inv").open("rb") as file:
        objects = (
            inventory.loads(file.read(), uri="").data if hasattr(inventory, "loads") else inventory.load(file, "", str)
        )
    told = {name.rpartition(".")[2] for kind, names in objects.items() if kind.startswith("py:") for name in names}
    public = {name for module in PUBLIC for name in importlib.import_module(module).__all__}
    assert public - UNTOLD - told == set()


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_has_a_docstring(module):
    names = importlib.import_module(module).__all__
    for name in set(names) - UNTOLD:
        thing = getattr(importlib.import_module(module), name)
        assert inspect.getdoc(thing), f"{module}.{name}"
        members = inspect.getmembers(thing) if inspect.isclass(thing) else []
        for member, value in members:
            own = member in vars(thing) and (callable(value) or isinstance(value, property))
            assert not own or member.startswith("_") or inspect.getdoc(value), f"{module}.{name}.{member}"


def test_links_within_the_site_hold(site):
    pages = read(site)
    for path, page in pages.items():
        for link in page.leads:
            parts = urlsplit(link)
            if parts.scheme or link.startswith("//"):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.exists(), f"{path.name} links to {link}"
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].anchors, f"{path.name} links to {link}"


def test_links_into_the_repository_hold(site):
    for path, page in read(site).items():
        for link in page.leads:
            if found := re.match(rf"{re.escape(REPOSITORY)}/(?:blob|tree|edit|raw)/main/([^?#]+)", link):
                assert (ROOT / unquote(found[1])).exists(), f"{path.name} links to {link}"


def test_nothing_is_loaded_from_elsewhere(site):
    for path, page in read(site).items():
        for address in page.loads:
            assert not urlsplit(address).netloc, f"{path.name} loads {address}"
            if address and not address.startswith("data:"):
                assert (path.parent / unquote(urlsplit(address).path)).exists(), f"{path.name} loads {address}"
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(\s*['\"]?(https?:)?//", style.read_text(encoding="utf-8")), style


def test_equations_are_mathml(site):
    text = (site / "algorithm.html").read_text(encoding="utf-8")
    assert text.count("<math") > 100
    assert not re.search(r"\\(frac|sum|text|begin|mathrm)", text)


# -- in a browser --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser():
    with running_chromium() as running:
        yield running


def opened(browser, address, **settings):
    """Open a page; what the console says and what fails or leaves the machine is collected in `page.faults`."""
    page = browser.new_context(**settings).new_page()
    page.faults = []
    page.on("console", lambda message: page.faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on(
        "request",
        lambda request: None if request.url.startswith(("file:", "data:")) else page.faults.append(request.url),
    )
    page.goto(address)
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_have_no_barriers(site, browser, scheme):
    for name in ("index", "how", "results", "api/agent"):
        page = opened(browser, (site / f"{name}.html").as_uri(), color_scheme=scheme)
        assert page.faults == []
        assert barriers(page) == [], name
        page.context.close()


def test_no_page_is_wider_than_a_phone(site, browser):
    page = opened(browser, (site / "index.html").as_uri(), viewport={"width": 400, "height": 800})
    for path in sorted(site.rglob("*.html")):
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 400, path.name
    assert page.faults == []
    page.context.close()


def test_search_works_without_a_server(site, browser):
    page = opened(browser, (site / "search.html").as_uri() + "?q=eligibility")
    for title in ("The algorithm", "Live mode"):  # they come one after the other
        page.locator("ul.search li a", has_text=title).first.wait_for()
    assert page.faults == []
    page.context.close()
