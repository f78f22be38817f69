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

from dynlive_rl import CheckpointError, DynLiveAgent, LearningRule, Network, checkpoint
from dynlive_rl.agents import CellConfig, LiveConfig
from graphs import random_network
from helpers import feed, own
from networks import live

BATCH = 50  # files per child
SECONDS = 10  # of processor time per file
ROOM = 2**26  # bytes that a child may ask for besides what it began with
ASIDE = 2**16  # bytes that Python keeps for itself: the text of an error, a cache
ASIDE_OUTSIDE = 2**22  # bytes of address space, which is given out in large pieces
SPECIAL = [0, 1, -1, 2, 3, 127, 1e-30, 0.5, 1e6, 1e30, 1e300, 2**31, 2**62, 2**63 - 1, np.nan, np.inf, -np.inf]
WRONG = [
    None, True, "a\nb", -1, 0, 1, 2, 10**9, 2**31, 2**63, 10**30, 10**400, 0.5, -0.5, 1e300, float("nan"), float("inf"), "",
    "x", "box", [], {}, [[]], [1, 2], {"kind": "Discrete"}, [0] * 1000, "O", "float128",
]  # fmt: skip


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


# -- mutations ---------------------------------------------------------------------------------------------------------


def damaged(raw, random):
    """Return bytes of a file with random damage, which its checksum has to tell."""
    data = bytearray(raw)
    a, b = sorted(random.integers(0, len(data), 2).tolist())
    match random.integers(9):
        case 0 | 1:
            data[a] ^= 1 << int(random.integers(8))
        case 2:
            for place in random.integers(0, len(data), random.integers(2, 20)).tolist():
                data[place] = int(random.integers(256))
        case 3:
            data[a:b] = bytes(b - a)
        case 4:
            del data[a:]
        case 5:
            data += random.bytes(int(random.integers(1, 100)))
        case 6:
            data[a:a] = random.bytes(int(random.integers(1, 9)))
        case 7:
            del data[a : a + int(random.integers(1, 9))]
        case 8:  # the header, where every byte means something
            place = int(random.integers(0, 8 + int.from_bytes(raw[:8], "little")))
            data[place] = int(random.choice(list(b'0123456789"{}[],:-e \x00')))
    return bytes(data)


def forged(raw, random):
    """Return bytes of a file whose header or arrays were changed, and whose checksum was made right again."""
    file = io.BytesIO(raw)
    kind = checkpoint.kind_of(io.BytesIO(raw))
    upgrades = {k: checkpoint.unchanged for k in range(checkpoint.FORMAT)}
    header, arrays = checkpoint.read(file, kind, upgrades)
    original = header
    for _ in range(1 + random.geometric(0.7)):
        match random.integers(6):
            case 0:
                key = str(random.choice(list(header)))
                header = header | {key: change_somewhere(header[key], random)}
            case 1 if "config" in header or "rule" in header:
                header = header | change_number(original, random)
            case 2 if random.random() < 0.3:
                arrays[str(random.choice(list(arrays)))] = np.zeros(1)
            case 3:
                change_array(arrays, random)
            case _:
                change_gently(arrays, random)
    out = io.BytesIO()
    checkpoint.write(out, kind, header, arrays)
    match random.integers(8):
        case 0:
            return with_other_entries(out.getvalue(), random)
        case 1:
            return without_checksum(out.getvalue(), int(random.choice([1, 2, 3, 3, 3])))
    return out.getvalue()


def change_number(header, random):
    """Return the configuration or rule of a header with one number changed, most often to one that it might be."""
    key = "config" if "config" in header else "rule"
    changed = json.loads(json.dumps(header[key]))
    group = changed if key == "rule" else changed[str(random.choice(list(changed)))]
    name = str(random.choice(list(group)))
    value = group[name]
    if isinstance(value, int | float):
        whole = isinstance(value, int)
        factor = float(random.choice([0, 0.1, 0.5, 2, 10, 1000, 1e6, 1e12, 1e30]))
        group[name] = int(value * factor) if whole else value * factor
    return {key: changed}


def change_gently(arrays, random):
    """Change numbers of an array to others that it might have."""
    name = str(random.choice(list(arrays)))
    array = arrays[name] = arrays[name].copy()
    if not array.size or array.dtype == bool:
        return
    flat = array.reshape(-1)
    a, b = random.integers(0, flat.size, 2)
    match random.integers(4):
        case 0:
            flat[a], flat[b] = flat[b], flat[a]
        case 1:
            flat[a] = flat[b]
        case 2 if array.dtype.kind == "f":
            flat *= (1 + 1e-4 * random.normal(size=flat.size)).astype(array.dtype)
        case _:
            flat[a] += flat.dtype.type(random.choice([1, 2, 100]))


def change_array(arrays, random):
    """Change one array, in one number or in all."""
    name = str(random.choice(list(arrays)))
    array = arrays[name].copy()
    special = SPECIAL[random.integers(len(SPECIAL))]
    with np.errstate(all="ignore"):
        match random.integers(10):
            case 0:
                array = np.full_like(array, np.asarray(special).astype(array.dtype))
            case 1:
                array = random.permuted(array.reshape(-1)).reshape(array.shape)
            case 2:
                del arrays[name]
                return
            case 3:
                array = array.astype(
                    str(random.choice(["float32", "float64", "int64", "int32", "int8", "bool", "uint64"]))
                )
            case 4:
                array = array[..., :-1] if random.integers(2) else np.concatenate([array, array])
            case 5:
                other = str(random.choice(list(arrays)))
                arrays[name], arrays[other] = arrays[other], arrays[name]
                return
            case 6 if array.dtype.kind == "f":
                array *= random.choice([0, 0.5, 1.0001, 2, -1])
            case 7 if array.size and array.dtype != bool:
                bits = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
                bits[random.integers(bits.size)] ^= 1 << int(random.integers(8))
                array = bits.view(array.dtype).reshape(array.shape)
            case _:
                if array.size:
                    array.flat[random.integers(array.size)] = np.asarray(special).astype(array.dtype)
    arrays[name] = array


def change_somewhere(value, random):
    """Return a JSON value with something in it changed, left out or added."""
    if isinstance(value, dict | list) and value and random.random() < 0.9:
        value = value.copy()
        key = random.choice(list(value)) if isinstance(value, dict) else int(random.integers(len(value)))
        key = str(key) if isinstance(value, dict) else key
        match random.integers(12):
            case 0:
                del value[key]
            case 1 if isinstance(value, dict):
                value[key + "x"] = value[key]
            case 2 if isinstance(value, list):
                value.append(value[key])
            case _:
                value[key] = change_somewhere(value[key], random)
        return value
    if random.random() < 0.02:
        deep = []
        for _ in range(500):
            deep = [deep]
        return deep
    if isinstance(value, int | float) and random.random() < 0.5:
        real = float(max(-(10**300), min(value, 10**300)))
        return [value + 1, value - 1, value * 2, -value, value * 1000, real][random.integers(6)]
    return WRONG[random.integers(len(WRONG))]


def with_other_entries(raw, random):
    """Return bytes of a file whose list of arrays says something else, with the right checksum."""
    size = int.from_bytes(raw[:8], "little")
    entries = json.loads(raw[8 : 8 + size])
    metadata = entries.pop("__metadata__")
    if random.random() < 0.1:
        changed = change_somewhere(json.loads(metadata["dynlive"]), random)
        if isinstance(changed, dict):  # what has no header at all has no place for a checksum
            changed = {"sha256": "0" * 64} | changed | {"sha256": "0" * 64}
            metadata["dynlive"] = json.dumps(changed)
    name = str(random.choice(list(entries)))
    entries[name] = change_somewhere(entries[name], random)
    head = json.dumps({"__metadata__": metadata, **entries}, separators=(",", ":")).encode()
    whole = len(head).to_bytes(8, "little") + head + raw[8 + size :]
    return b"".join(checkpoint.with_checksum(whole))


def without_checksum(raw, number):
    """Return bytes of a file that says that it is of an older format."""
    size = int.from_bytes(raw[:8], "little")
    entries = json.loads(raw[8 : 8 + size])
    header = json.loads(entries["__metadata__"]["dynlive"]) | {"format": number}
    del header["sha256"]
    entries["__metadata__"] = {"dynlive": json.dumps(header)}
    head = json.dumps(entries).encode()
    return len(head).to_bytes(8, "little") + head + raw[8 + size :]


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
