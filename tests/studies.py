"""Studies whose runs take no time: a script that hands in what it is asked for, and Ray clusters to do it on."""

import sys
from contextlib import contextmanager
from pathlib import Path

import workers
from runs import Study

SCRIPTS = Path(workers.__file__).parent
SCRIPT = f"""
import os, signal, sys, time
sys.path.insert(0, {str(SCRIPTS)!r})
from workers import hand_in, tell
folder, what, seed = sys.argv[1:]
with open(os.path.join(folder, "begun"), "a") as file:
    file.write(f"{{seed}} {{what}} {{os.environ.get('RAY_RAYLET_PID')}}\\n")
tell(0, 100, float(seed))
if what == "wait":
    time.sleep(1)
if what == "hang":
    time.sleep(600)
if what == "fail":
    raise ValueError(f"the pole of seed {{seed}} is broken")
begun = [line.split()[0] for line in open(os.path.join(folder, "begun"))].count(seed)
if what == "die" or what == "die once" and begun == 1:
    os.kill(os.getpid(), signal.SIGKILL)
threads = [os.environ[f"{{name}}_NUM_THREADS"] for name in ("NUMBA", "OMP", "MKL", "OPENBLAS")]
hand_in({{"what": what, "seed": int(seed), "half": int(seed) / 2, "threads": threads}})
"""
KEY = "what", "seed"


def study_of(folder, whats, seeds):
    """Return a study in a folder, and the commands of its runs."""
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "script.py"
    script.write_text(SCRIPT)
    commands = {(what, seed): [str(script), str(folder), what, str(seed)] for what in whats for seed in seeds}
    return Study(folder / "study", KEY), commands


def begun(folder):
    """Return the seeds of all runs that were begun, in their order."""
    file = folder / "begun"
    return [int(line.split()[0]) for line in file.read_text().splitlines()] if file.exists() else []


def is_waiting(folder, node):
    """Tell whether a node of a cluster has begun a run that waits."""
    file, raylet = folder / "begun", node.all_processes["raylet"][0].process.pid
    return file.exists() and f"wait {raylet}\n" in file.read_text()


@contextmanager
def ray_cluster(nodes):
    """Yield a Ray cluster on this machine: a head and so many nodes beside it, in `others`, with a core each."""
    from ray.cluster_utils import Cluster

    from dynlive_rl.agents.tuning.cluster import prepare_environment

    prepare_environment()
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.others = [cluster.add_node(num_cpus=1, include_dashboard=False) for _ in range(nodes)]
    try:
        yield cluster
    finally:
        cluster.shutdown()


def python(code, *arguments, **settings):
    """Start a Python process that knows the scripts."""
    import subprocess

    code = f"import sys; sys.path[:0] = [{str(SCRIPTS)!r}, {str(Path(__file__).parent)!r}]\n{code}"
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], **settings)
