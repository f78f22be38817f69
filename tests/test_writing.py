"""Files are written whole or not at all: killed savers, two at once, full disks, folders that may not be written."""

import errno
import io
import os
import random
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import helpers
from dynlive_rl import CheckpointError, DynLiveAgent, Network, checkpoint, writing
from networks import assert_same_state, small

IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
posix = pytest.mark.skipif(os.name != "posix", reason="POSIX alone has this")

# Saves arrays over and over, told apart by their one number; says so once it has begun.
SAVER = """
import sys, numpy as np
from dynlive_rl import checkpoint
k = int(sys.argv[2])
while True:
    checkpoint.write(sys.argv[1], "thing", {"k": k}, {"x": np.full(200_000, k)})
    print(k, flush=True)
    k += int(sys.argv[3])
"""


def saver(path, first, step):
    arguments = [sys.executable, "-c", SAVER, path, str(first), str(step)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


def number_in(path):
    """The one number that a whole file has in its header and everywhere in its array."""
    header, arrays = checkpoint.read(path, "thing")
    assert (arrays["x"] == header["k"]).all()
    return header["k"]


# -- where it goes -----------------------------------------------------------------------------------------------------


def test_saving_makes_missing_folders(tmp_path):
    small().save(tmp_path / "a" / "b" / "net")
    assert_same_state(Network.load(tmp_path / "a" / "b" / "net"), small())


def test_files_may_be_open_ones(tmp_path):
    net, agent = small(), helpers.own()
    for thing, kind in ((net, Network), (agent, DynLiveAgent)):
        memory = io.BytesIO()
        thing.save(memory)
        thing.save(tmp_path / "file")
        assert memory.getvalue() == (tmp_path / "file").read_bytes()
        memory.seek(0)
        helpers.assert_same_state(kind.load(memory).get_state(), thing.get_state())
        with open(tmp_path / "file", "rb") as file:
            helpers.assert_same_state(kind.load(file).get_state(), thing.get_state())
    with pytest.raises(CheckpointError, match=r"^the file is not a DynLive checkpoint, or it is damaged$"):
        Network.load(io.BytesIO(b"nothing"))
    (tmp_path / "file").write_text("nothing")
    with (
        open(tmp_path / "file", "rb") as file,
        pytest.raises(CheckpointError, match="file is not a DynLive checkpoint"),
    ):
        Network.load(file)
    for call in (Network.load, DynLiveAgent.load, small().save, helpers.own().save):
        with pytest.raises(TypeError, match="the file must be open in binary mode"):
            call(io.StringIO("text"))


@posix
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_a_file_has_the_permissions_of_any_new_file(umask, tmp_path):
    before = os.umask(umask)
    try:
        small().save(tmp_path / "net")
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(tmp_path / "net").st_mode) == 0o666 & ~umask


@posix
def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "net").symlink_to(tmp_path / "there" / "net")
    small().save(tmp_path / "net")
    assert (tmp_path / "net").is_symlink()
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["net"]


def test_a_long_name_is_no_problem(tmp_path):
    small().save(tmp_path / ("n" * 250))
    assert [len(path.name) for path in tmp_path.iterdir()] == [250]


# -- what goes wrong ---------------------------------------------------------------------------------------------------


def test_what_is_no_file_is_not_read(tmp_path):
    with pytest.raises(IsADirectoryError):
        Network.load(tmp_path)
    if os.name == "posix":
        with pytest.raises(CheckpointError, match=r"null is not a DynLive checkpoint: it is no regular file$"):
            Network.load("/dev/null")


@posix
def test_what_is_no_file_is_not_replaced(tmp_path):
    """Nor a device: as root, a file renamed to its place would take it from the whole machine."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match=rf"cannot write {tmp_path / 'pipe'}: it is no regular file$"):
        small().save(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    with pytest.raises(OSError, match=r"it is no regular file$"):
        small().save(tmp_path / "link")
    assert stat.S_ISFIFO(os.stat(tmp_path / "pipe").st_mode)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "pipe"]
    with pytest.raises(IsADirectoryError, match=f"cannot write {tmp_path}: Is a directory"):
        small().save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "pipe"]


@pytest.mark.parametrize("place", [0, None, b"net", ["net"]])
def test_what_is_no_path_is_refused(place):
    message = re.escape(f"a file must be a path, or open in binary mode, not {place!r}")
    for call in (small().save, Network.load, DynLiveAgent.load):
        with pytest.raises(TypeError, match=f"^{message}$"):
            call(place)


def test_an_interrupted_save_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    small().save(tmp_path / "net")

    def interrupted(*_):
        raise KeyboardInterrupt

    for call in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(writing.os, call, interrupted)
            with pytest.raises(KeyboardInterrupt):
                small(seed=1).save(tmp_path / "net")
        assert [path.name for path in tmp_path.iterdir()] == ["net"]
        assert_same_state(Network.load(tmp_path / "net"), small())


@posix
def test_a_file_that_may_not_grow_is_an_error_of_the_system(tmp_path):
    """As a full disk is one, but in any folder; in a process of its own, whose limit nobody else meets."""
    small().save(tmp_path / "net")
    code = (
        "import resource, sys; from dynlive_rl import Network;"
        "net = Network.layered(inputs=20, hidden=(200,), outputs=1, seed=0);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000));"
        "net.save(sys.argv[1])"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "net"], capture_output=True, text=True)
    assert re.search(rf"^OSError: \[Errno 27\] cannot write {tmp_path / 'net'}: File too large$", done.stderr, re.M)
    assert [path.name for path in tmp_path.iterdir()] == ["net"]
    assert_same_state(Network.load(tmp_path / "net"), small())


def as_nobody(code, *arguments):
    """Run code as an unprivileged user, to whom permission bits mean something."""
    become = (
        "import os; from dynlive_rl import Network; os.setuid(65534);" if IS_ROOT else "from dynlive_rl import Network;"
    )
    done = subprocess.run(
        [sys.executable, "-c", become + "import sys;" + code, *arguments], capture_output=True, text=True
    )
    return done.stderr.strip().splitlines()[-1]


@posix
def test_what_may_not_be_read_or_written_is_not_called_damaged(tmp_path):
    folder = Path(os.path.realpath(tmp_path)) if not IS_ROOT else Path("/tmp") / f"dynlive-{os.getpid()}"
    folder.mkdir(exist_ok=True)
    try:
        small().save(folder / "net")
        os.chmod(folder / "net", 0o200)
        os.chmod(folder, 0o555)
        assert re.fullmatch(
            rf"PermissionError: \[Errno 13\] Permission denied: '{folder / 'net'}'",
            as_nobody("Network.load(sys.argv[1])", folder / "net"),
        )
        said = as_nobody("Network.layered(inputs=1, outputs=1).save(sys.argv[1])", folder / "other")
        assert said == f"PermissionError: [Errno 13] cannot write {folder / 'other'}: Permission denied"
        os.chmod(folder, 0o755)
        assert [path.name for path in folder.iterdir()] == ["net"]
    finally:
        if IS_ROOT:
            shutil.rmtree(folder)


# -- slow: killed, many at once, full, without power -------------------------------------------------------------------


@posix
@pytest.mark.slow
def test_a_killed_saver_leaves_a_whole_file(tmp_path):
    path, rng, killed, last = tmp_path / "thing", random.Random(0), 0, -1
    while killed < 200:
        running = saver(path, last + 1, 1)
        running.stdout.readline()
        time.sleep(rng.uniform(0, 0.1))
        running.send_signal(signal.SIGKILL)
        said = running.communicate()[0].split()
        killed += 1
        found = number_in(path)
        assert found >= (int(said[-1]) if said else last)  # what was said to be saved is there, or something newer
        last = found
        # It may leave its partial file behind, that no later one trips over.
        assert all(other.name.endswith(".partial") for other in tmp_path.iterdir() if other != path)


@pytest.mark.slow
def test_two_savers_on_one_path_do_not_collide(tmp_path):
    path = tmp_path / "thing"
    both = [saver(path, k, 2) for k in range(2)]
    for one in both:
        one.stdout.readline()
    seen, stop = set(), time.monotonic() + 20
    while time.monotonic() < stop:
        seen.add(number_in(path) % 2)
    assert all(one.poll() is None for one in both)
    assert seen == {0, 1}
    for one in both:
        one.kill()
        one.communicate()


@posix
@pytest.mark.slow
@pytest.mark.skipif(not IS_ROOT or not shutil.which("mount"), reason="needs a small file system of its own")
def test_a_full_disk_leaves_the_old_file_whole(tmp_path):
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", tmp_path]).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        small().save(tmp_path / "net")
        large = Network.layered(inputs=20, hidden=(200,), outputs=1, seed=0)
        with pytest.raises(OSError, match=rf"cannot write {tmp_path / 'net'}: No space left on device") as error:
            large.save(tmp_path / "net")
        assert error.value.errno == errno.ENOSPC
        assert [path.name for path in tmp_path.iterdir()] == ["net"]
        assert_same_state(Network.load(tmp_path / "net"), small())
    finally:
        subprocess.run(["umount", tmp_path], check=True)


@posix
@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_nothing_is_renamed_before_it_is_on_the_disk(tmp_path):
    """What a power cut may do: lose all that was not synced. So every write is synced before the rename, the folder after."""
    code = "import sys; from dynlive_rl import Network; Network.layered(inputs=2, outputs=1).save(sys.argv[1])"
    calls = "openat,write,fsync,fdatasync,rename,renameat,renameat2,close"
    trace = tmp_path / "trace"
    subprocess.run(
        ["strace", "-f", "-y", "-o", trace, "-e", f"trace={calls}", sys.executable, "-c", code, tmp_path / "net"],
        check=True,
    )
    lines = [
        line for line in trace.read_text().splitlines() if str(tmp_path) in line and "trace" not in line.split("(")[0]
    ]
    order = [
        re.sub(r"^\d+ +", "", line).split("(")[0].replace("at2", "").replace("renameat", "rename") for line in lines
    ]
    writes = [k for k, call in enumerate(order) if call == "write"]
    syncs = [k for k, call in enumerate(order) if call == "fsync"]
    renames = [k for k, call in enumerate(order) if call == "rename"]
    assert len(renames) == 1
    assert len(syncs) == 2
    assert max(writes) < syncs[0] < renames[0] < syncs[1]
    assert ".partial" in lines[syncs[0]]
    assert f"<{tmp_path}>" in lines[syncs[1]]


def test_a_large_file_is_read_in_twice_the_memory_it_has(tmp_path):
    """The file, and its arrays: what is remembered of it afterwards is the arrays alone."""
    checkpoint.write(tmp_path / "large", "thing", {}, {"x": np.ones(30_000_000, np.int8)})
    code = (
        "import resource, sys; from dynlive_rl import checkpoint;"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "checkpoint.read(sys.argv[1], 'thing');"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e3)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "large"], capture_output=True, text=True, check=True)
    assert float(done.stdout) * (1e-6 if sys.platform == "darwin" else 1) < 63
