"""Compiled code is kept where that is possible, and done without, with one warning, where nothing can be written."""

import errno
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from numba import njit
from numba.core import caching, config

from dynlive_rl.kernels import jit

PACKAGES = ("dynlive_rl", "dynlive_rl.agents", "dynlive_rl.envs")
TRAIN = """
import numpy as np
from dynlive_rl import DynLiveAgent
agent = DynLiveAgent("CartPole-v1", seed=0)
agent.learn(600, progress_bar=False)
print(agent.episodes, agent.actor.strengths(agent.actor.output_ids[0]).tobytes().hex())
"""


@pytest.fixture
def source(tmp_path):
    """Return a file with source code in a folder of its own, for which nothing has been decided yet."""
    jit._can_cache.cache_clear()
    jit._warn_once.cache_clear()
    source = tmp_path / "package" / "__init__.py"
    source.parent.mkdir()
    source.write_text("def twice(x):\n    return x + x\n\ndef thrice(x):\n    return x + x + x\n")
    return source


@pytest.fixture
def unwritable(monkeypatch):
    """Let Numba find no folder that it can write to."""

    def refuse(**_):
        raise PermissionError

    monkeypatch.setattr(caching.tempfile, "TemporaryFile", refuse)


def functions(source):
    scope = {"__name__": "package"}
    exec(compile(source.read_text(), source, "exec"), scope)
    return scope["twice"], scope["thrice"]


def test_compiled_code_is_kept_beside_its_source(source, monkeypatch):
    monkeypatch.setattr(config, "CACHE_DIR", "")
    twice = jit.jit_entry(functions(source)[0])
    assert twice(2) == 4
    assert jit.cache_folder(source) == source.parent / "__pycache__"
    assert len(list((source.parent / "__pycache__").glob("*twice*.nbi"))) == 1


def test_a_folder_for_compiled_code_is_respected(source, tmp_path, monkeypatch):
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path / "kept"))
    assert jit.jit_entry(functions(source)[0])(2) == 4
    assert jit.cache_folder(source).parent == tmp_path / "kept"
    assert len(list((tmp_path / "kept").rglob("*twice*.nbi"))) == 1
    assert not (source.parent / "__pycache__").exists()


@pytest.mark.parametrize("named", ["", "/nowhere"])
def test_without_a_place_nothing_is_kept_and_one_warning_says_so(source, unwritable, named, monkeypatch):
    monkeypatch.setattr(config, "CACHE_DIR", "/dev/null" + named if named else "")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        twice, thrice = map(jit.jit_entry, functions(source))
        jit.drop_stale_caches(source.parent)
    assert (twice(2), thrice(2)) == (4, 6)
    assert jit.cache_folder(source) is None
    assert [one.category for one in caught] == [RuntimeWarning]
    said = str(caught[0].message)
    assert "set NUMBA_CACHE_DIR to a folder" in said
    assert ("NUMBA_CACHE_DIR=/dev/null/nowhere, " in said) == bool(named)


def test_a_disk_that_is_full_by_now_costs_one_warning(source, monkeypatch):
    monkeypatch.setattr(config, "CACHE_DIR", "")
    twice, thrice = map(jit.jit_entry, functions(source))

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "somewhere")

    monkeypatch.setattr(caching.os, "replace", full)
    with pytest.warns(RuntimeWarning, match="compiles again: No space left on device; set NUMBA_CACHE_DIR") as said:
        assert (twice(2), thrice(2), twice(0.5)) == (4, 6, 1)
    assert len(said) == 1
    assert list((source.parent / "__pycache__").glob("*.nb*")) == []
    monkeypatch.undo()
    monkeypatch.setattr(config, "CACHE_DIR", "")
    assert jit.jit_entry(functions(source)[0])(2) == 4
    assert len(list((source.parent / "__pycache__").glob("*twice*.nbi"))) == 1


def test_what_else_is_wrong_with_the_cache_is_not_hidden(source, monkeypatch):
    monkeypatch.setattr(config, "CACHE_LOCATOR_CLASSES", "NoSuchLocator", raising=False)
    if "CACHE_LOCATOR_CLASSES" not in caching.CacheImpl.__init__.__code__.co_names:
        pytest.skip("this Numba cannot be given other locators")
    with pytest.raises(RuntimeError, match="NoSuchLocator"):
        jit.cache_folder(source)


@pytest.mark.slow
def test_it_trains_where_nothing_can_be_written(tmp_path):
    """Permission bits mean nothing to root: the packages are mounted again, read-only, in a mount namespace of its own."""
    folders = [Path(__import__(name, fromlist=["_"]).__file__).parent for name in PACKAGES]
    mounts = "".join(f"mount --bind '{one}' '{one}' && mount -o remount,bind,ro '{one}' && " for one in folders)
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    namespace = [*unshare, "sh", "-c", f'{mounts}exec "$@"', "sh"]
    try:
        subprocess.run([*namespace, "true"], capture_output=True, text=True, check=True)
    except FileNotFoundError:
        pytest.skip("there is no unshare here")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"folders cannot be mounted read-only here: {error.stderr.strip()}")

    keep = {name: value for name, value in os.environ.items() if name not in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")}
    command = [sys.executable, "-W", "always::RuntimeWarning", "-c", TRAIN]

    def train(*before, **environment):
        return subprocess.run(
            [*before, *command], capture_output=True, text=True, check=True, cwd=tmp_path, env={**keep, **environment}
        )

    without = train(*namespace, HOME=str(folders[0] / "nobody"))
    assert without.stderr.count("RuntimeWarning") == without.stderr.count("set NUMBA_CACHE_DIR") == 1
    named = train(*namespace, HOME=str(folders[0] / "nobody"), NUMBA_CACHE_DIR=str(tmp_path / "kept"))
    assert "NUMBA_CACHE_DIR" not in named.stderr
    assert list((tmp_path / "kept").rglob("*.nbi"))
    assert without.stdout == named.stdout


def test_what_is_internal_is_not_inlined_because_its_caller_is():
    @jit.jit_internal
    def inner(x):
        return x + 1

    @jit.jit_inline
    def outer(x):
        return inner(x)

    @njit
    def entry(x):
        return outer(x) + outer(2 * x)

    assert entry(1) == 5
    code = [str(next(iter(part.overloads.values())).library._final_module) for part in (inner, outer)]
    assert ["alwaysinline" in text for text in code] == [False, True]
