"""Mutated files by the thousand, loaded in children of a process that has imported and compiled everything once.

`python tests/mutants.py COUNT [KIND …]` loads so many files of each kind and prints, as JSON, how many ended how:

refused   CheckpointError, one sentence with the file's name
same      loaded with the arrays of the original: unchanged, or forged in the header alone
other     loaded with others (whole files only, whose checksum was made right again), and worked without a crash
diverged  as other, and a step size or the like was so absurd that learning left what numbers can hold
All else is a fault of the package: another exception, a child that died, took too long, or asked for more than twice the
memory that loading the original takes.
"""

import faulthandler
import io
import json
import os
import resource
import sys
import tempfile
import traceback
import tracemalloc
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete

from dynlive_rl import CheckpointError, DynLiveAgent, LearningRule, Network
from dynlive_rl.agents import CellConfig, LiveConfig
from graphs import random_network
from helpers import feed, own
from mutations import damaged, forged
from networks import live

BATCH = 50  # files per child
SECONDS = 10  # of processor time per file
ROOM = 2**26  # bytes that a child may ask for besides what it began with
ASIDE = 2**16  # bytes that Python keeps for itself: the text of an error, a cache
ASIDE_OUTSIDE = 2**22  # bytes of address space, which is given out in large pieces


# -- honest files ------------------------------------------------------------------------------------------------------


def in_vain(agent, observations, rewards=(0.0, 1.0)):
    """Let an agent learn from whatever observations, in a loop of its own."""
    for t, observation in enumerate(observations):
        agent.act(observation)
        agent.observe(rewards[t % 2], observation, t % 9 == 8, t % 13 == 12)


def vector_agent():
    import gymnasium as gym

    def make():
        return gym.make("CartPole-v1")

    return DynLiveAgent(gym.vector.SyncVectorEnv([make, make]), seed=0).learn(300, progress_bar=False)


def honest():
    """Return by kind the honest objects whose files are mutated."""
    rehearsing, alive = own(), own(mode="live", config=LiveConfig(cells=CellConfig(cells=32, layers=2)))
    for agent in (rehearsing, alive):
        feed(agent, 300, seed=1)
    place = Dict(place=Discrete(3), way=MultiDiscrete([2, 2]))
    one_hot = DynLiveAgent(observation_space=place, action_space=MultiDiscrete([2, 3]), seed=0)
    in_vain(one_hot, [place.sample() for _ in range(300)])
    box = Box(-1, 1, (2,))
    mixed = DynLiveAgent(observation_space=Dict(a=box, b=Discrete(3)), action_space=box, seed=0, mode="live")
    in_vain(mixed, [mixed.observation_space.sample() for _ in range(100)])
    rules = LearningRule(step="adam", reserve=True), LearningRule(constraint="free"), LearningRule(kind="original")
    networks = [random_network(k, rule, dtype="float32") for k, rule in enumerate(rules)]
    networks.append(Network.layered(inputs=3, hidden=(8, 4), outputs=2, seed=0))
    networks[-1].kill([7])
    for network in networks:
        live(network)
    return {
        "rehearsal": [rehearsing],
        "live": [alive, mixed],
        "network": networks,
        "one-hot": [one_hot, vector_agent()],
    }


def saved(thing):
    file = io.BytesIO()
    thing.save(file)
    return file.getvalue()


# -- what becomes of them ----------------------------------------------------------------------------------------------


def outcome_of(thing, raw, honest, path, random):
    """Load a mutated file of a thing, and go on with what comes of it; returns how that ended.

    `honest` is how much memory loading the original takes.
    """
    is_forged = bool(random.integers(2))
    mutated = forged(raw, random) if is_forged else damaged(raw, random)
    path.write_bytes(mutated)
    try:
        with address_space_of(2 * honest + ASIDE_OUTSIDE):
            loaded, taken = measured(lambda: loaded_or_refused(type(thing), path))
    except MemoryError:
        return "too much memory"
    if taken > 2 * honest + ASIDE:
        return f"too much memory: {taken} bytes instead of {honest}"
    if isinstance(loaded, str):
        is_clear = str(path) in loaded and "\n" not in loaded and len(loaded) < 1500
        return "refused" if is_clear else f"unclear: {loaded}"
    if not is_forged:
        return "same" if mutated == raw else "loaded despite its checksum"
    state, original = loaded.get_state(), thing.get_state()
    is_same = all(np.array_equal(state[name], original[name]) for name in original)
    go_on(loaded)
    if not all(np.isfinite(array).all() for array in loaded.get_state().values()):
        return "diverged"
    return "same" if is_same else "other"


def loaded_or_refused(kind, path):
    """Return what is in a file, or the sentence that refuses it; MemoryError if it asks for more than there may be."""
    try:
        return kind.load(path)
    except CheckpointError as error:
        if isinstance(error.__cause__, MemoryError):
            raise MemoryError from None
        return str(error)


def measured(call):
    """Return what a call returns, and the most bytes that Python and NumPy had in use meanwhile, beyond those before."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        result = call()
        return result, tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@contextmanager
def address_space_of(more):
    """Let the process ask for so many bytes more, whoever in it asks."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    usual, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (usual, hard))


def go_on(loaded):
    """Use what was loaded for a few steps; ValueError with a sentence is as good as an answer."""
    try:
        with np.errstate(all="ignore"):
            if isinstance(loaded, Network):
                live(loaded, 3)
                return
            space = loaded.observation_space
            space.seed(0)
            several = loaded.interaction.environments
            if loaded.interaction.is_vector:
                observations = [np.array([space.sample() for _ in range(several)]) for _ in range(12)]
                in_vain_together(loaded, observations)
            else:
                in_vain(loaded, [space.sample() for _ in range(12)])
            for deterministic in (False, True):
                loaded.predict(space.sample(), deterministic=deterministic)
    except ValueError as error:
        if len(str(error)) < 10:
            raise


def in_vain_together(agent, observations):
    count = len(observations[0])
    for t, observation in enumerate(observations):
        agent.act(observation)
        agent.observe(np.ones(count), observation, np.full(count, t % 9 == 8), np.zeros(count, bool))


# -- children ----------------------------------------------------------------------------------------------------------


def limit_memory(more):
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def limit_seconds(seconds):
    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + seconds, hard))


def work(kind, things, numbers, path, out):
    """Load files by their numbers, in a child, and write down how each ended."""
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limit_memory(ROOM)
    for number in numbers:
        os.write(out, f"{number}\n".encode())
        limit_seconds(SECONDS)
        random = np.random.default_rng([number, *kind.encode()])
        try:
            end = outcome_of(*things[number % len(things)], path, random)
        except BaseException:
            end = "raised: " + traceback.format_exc()[-600:]
        os.write(out, json.dumps(end).encode() + b"\n")


def run(kind, things, numbers, path):
    """Return by number how loading files ended, all in one child, as far as it came."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        work(kind, things, numbers, path, writing)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as lines:
        said = lines.read().splitlines()
    _, status = os.waitpid(child, 0)
    ends = {int(number): json.loads(end) for number, end in zip(said[::2], said[1::2], strict=False)}
    if len(said) % 2:
        ends[int(said[-1])] = f"died of signal {os.WTERMSIG(status)}"
    return ends


def honest_memory(thing, raw, path):
    """Return how much memory loading a file takes, after compiling all that a child will need."""
    path.write_bytes(raw)
    go_on(type(thing).load(path))
    return measured(lambda: type(thing).load(path))[1]


def main(count, kinds):
    everything = {kind: [(thing, saved(thing)) for thing in things] for kind, things in honest().items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mutant.dynlive"
        for kind, things in everything.items():
            everything[kind] = [(thing, raw, honest_memory(thing, raw, path)) for thing, raw in things]
        results = {}
        for kind in kinds or everything:
            ends = {}
            while len(ends) < count:
                ends |= run(kind, everything[kind], range(len(ends), min(len(ends) + BATCH, count)), path)
            faults = {k: end for k, end in ends.items() if end not in ("refused", "same", "other", "diverged")}
            results[kind] = {"ends": Counter(end.split(":")[0] for end in ends.values()), "faults": faults}
    print(json.dumps(results))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
