"""No kernel runs on in compiled code that is older than what it was compiled from, in its own folder or another's."""

import importlib
import os
from pathlib import Path

import pytest
from numba.core import config

import dynlive_rl.agents.kernels
import dynlive_rl.kernels
from dynlive_rl.kernels import jit


@pytest.fixture(autouse=True)
def beside_the_source(monkeypatch):
    """Let compiled code be kept beside its source, whatever the tests run with."""
    monkeypatch.setattr(config, "CACHE_DIR", "")


@pytest.fixture
def folders(tmp_path):
    """Two folders of kernels; the sources are of second 100."""
    for name in ("network", "agents"):
        (tmp_path / name).mkdir()
        for source in ("__init__.py", "kernels.py"):
            write(tmp_path / name / source, 100)
    return tmp_path / "network", tmp_path / "agents"


def compiled_in(folder):
    """Where Numba keeps what it compiles from a folder's files."""
    place = jit.cache_folder(folder / "__init__.py")
    place.mkdir(parents=True, exist_ok=True)
    return place


def write(path, second):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    os.utime(path, (second, second))
    return path


@pytest.mark.parametrize(
    ("own", "other", "compiled", "stays"),
    [
        (100, 100, 200, True),
        (300, 100, 200, False),
        (100, 300, 200, False),
        (100, 100, 50, False),
        (300, 300, 400, True),
    ],
)
def test_what_is_older_than_any_source_in_either_folder_goes(folders, own, other, compiled, stays):
    network, agents = folders
    write(agents / "kernels.py", own)
    write(network / "kernels.py", other)
    index = write(compiled_in(agents) / "kernels.act-1.py311.nbi", compiled)
    code = write(compiled_in(agents) / "kernels.act-1.py311.1.nbc", compiled)
    jit.drop_stale_caches(agents, network)
    assert index.exists() == stays
    assert code.exists()  # without its index nothing finds it


def test_another_folders_caches_are_its_own_affair(folders):
    network, agents = folders
    index = write(compiled_in(network) / "kernels.fire-1.py311.nbi", 50)
    jit.drop_stale_caches(agents, network)
    assert index.exists()


def test_caches_kept_elsewhere_are_watched_there(folders, tmp_path, monkeypatch):
    network, agents = folders
    beside = write(compiled_in(agents) / "old.nbi", 50)
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path / "elsewhere"))
    kept = compiled_in(agents)
    old, new = write(kept / "old.nbi", 50), write(kept / "new.nbi", 150)
    jit.drop_stale_caches(agents, network)
    assert (tmp_path / "elsewhere") in kept.parents
    assert (old.exists(), new.exists(), beside.exists()) == (False, True, True)


def test_what_an_editor_leaves_among_the_sources_is_no_source(folders):
    network, agents = folders
    (network / ".#kernels.py").symlink_to("nothing")
    index = write(compiled_in(agents) / "kernels.act-1.py311.nbi", 200)
    jit.drop_stale_caches(agents, network)
    assert index.exists()


def test_a_folder_without_caches_is_fine(tmp_path):
    write(tmp_path / "__init__.py", 100)
    jit.drop_stale_caches(tmp_path)


@pytest.mark.parametrize(
    ("package", "watched"),
    [
        (dynlive_rl.kernels, [dynlive_rl.kernels]),
        (dynlive_rl.agents.kernels, [dynlive_rl.agents.kernels, dynlive_rl.kernels]),
    ],
    ids=["network", "agents"],
)
def test_kernels_watch_the_folders_they_compile_code_from(package, watched, monkeypatch):
    calls = []
    monkeypatch.setattr(jit, "drop_stale_caches", lambda *folders: calls.append(folders))
    importlib.reload(package)
    assert calls == [tuple(Path(other.__file__).parent for other in watched)]
