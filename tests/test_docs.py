"""The documentation: its Python runs and prints what it says, its tables are those of results/, its links hold.

The blocks of a page run in order in one namespace, as a reader would type them, in an empty folder.
"""

import re

import gymnasium as gym
import pytest

import dynlive_rl.envs  # noqa: F401  registers its environments once and for all
import tables
from sites import REPOSITORY, headings, links, local

PAGES = {str(path.relative_to(tables.ROOT)): path.read_text() for path in tables.pages()}
NEEDS = {"docs/sb3.md": ("stable_baselines3", "rl_zoo3", "optuna", "tensorboard", "tensorboardX", "pandas", "seaborn")}
BLOCKS = {name: re.findall(r"```python\n(.*?)```", page, re.DOTALL) for name, page in PAGES.items()}
WITH_PYTHON = [name for name, blocks in BLOCKS.items() if blocks]


@pytest.mark.parametrize("name", WITH_PYTHON)
def test_the_python_of_a_page_runs_and_prints_what_it_says(name, capsys, tmp_path, monkeypatch):
    for package in NEEDS.get(name, ()):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    registered = dict(gym.registry)
    namespace = {"__name__": "page"}
    for number, code in enumerate(BLOCKS[name], 1):
        exec(compile(code, f"{name}, block {number}", "exec"), namespace)
        promised = re.findall(r"print\(.*\)  # ([-\d.]+)$", code, re.MULTILINE)
        printed = capsys.readouterr().out.split()
        assert [float(text) for text in printed] == pytest.approx([float(text) for text in promised], abs=2)
    for own in gym.registry.keys() - registered.keys():  # leave other tests nothing behind
        del gym.registry[own]


def test_most_pages_have_python():
    assert len(WITH_PYTHON) > 10


@pytest.mark.parametrize("name", PAGES)
def test_the_tables_of_a_page_are_those_of_the_results(name):
    assert tables.filled(PAGES[name]) == PAGES[name]


@pytest.mark.parametrize("name", PAGES)
def test_what_a_page_links_to_is_there(name):
    page = tables.ROOT / name
    for link in links(PAGES[name]):
        target, _, heading = local(link).partition("#")
        if target.startswith("http"):
            continue
        path = (tables.ROOT if link.startswith(REPOSITORY) else page.parent) / target if target else page
        assert path.exists(), f"{name} links to {target}"
        if heading:
            assert heading in headings(path.read_text(encoding="utf-8")), f"{name} links to {target}#{heading}"


# -- the README, which package indexes show too ------------------------------------------------------------------------


def test_the_readme_is_short():
    assert len((tables.ROOT / "README.md").read_bytes()) <= 10_000


def test_the_addresses_of_the_readme_are_absolute():
    assert [link for link in links(PAGES["README.md"]) if not link.startswith("https://")] == []
    assert any(link.startswith(f"{REPOSITORY}/raw/main/") for link in links(PAGES["README.md"]))
