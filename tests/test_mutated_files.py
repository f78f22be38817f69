"""Damaged and forged files: refused with one sentence, whatever is wrong with them; see `mutants`."""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

import helpers
from dynlive_rl import CheckpointError, DynLiveAgent, Network, checkpoint
from networks import live, small

GOOD_ENDS = {"refused", "same", "other", "diverged"}


def assert_harmless(count):
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("mutants.py"), str(count)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for kind, result in json.loads(done.stdout).items():
        assert not result["faults"], (kind, result["faults"], done.stderr[-2000:])
        assert result["ends"].keys() <= GOOD_ENDS
        assert result["ends"]["refused"] > count / 2


def test_mutated_files_are_refused_or_harmless():
    assert_harmless(100)


@pytest.mark.slow
def test_ten_thousand_mutated_files_of_each_kind_are_refused_or_harmless():
    assert_harmless(10_000)


def small_files():
    """Return by kind the bytes of small files."""
    agents = {mode: helpers.own(mode=mode) for mode in ("rehearsal", "live")}
    for agent in agents.values():
        helpers.feed(agent, 20, seed=1)
    net = small()
    live(net)
    files = {}
    for kind, thing in {"network": net, **agents}.items():
        file = io.BytesIO()
        thing.save(file)
        files[kind] = type(thing), file.getvalue()
    return files


@pytest.fixture(scope="module")
def files():
    return small_files()


@pytest.fixture(scope="module")
def older_files():
    folder = Path(__file__).parent / "data" / "format4"
    kinds = {"network": Network, "rehearsal": DynLiveAgent, "live": DynLiveAgent}
    return {what: (kind, (folder / f"{what}.safetensors").read_bytes()) for what, kind in kinds.items()}


def refused(kind, data):
    try:
        kind.load(io.BytesIO(data))
    except CheckpointError as error:
        return "\n" not in str(error)
    return False


def assert_flips_are_noticed(kind, good, bits):
    for bit in bits:
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        assert refused(kind, bad), bit


@pytest.mark.parametrize("what", ["network", "rehearsal", "live"])
def test_flipped_bits_are_noticed(files, what):
    kind, good = files[what]
    header = 8 * (8 + int.from_bytes(good[:8], "little"))
    data = np.random.default_rng(0).integers(header, 8 * len(good), 500)
    assert_flips_are_noticed(kind, good, [*range(1600), *range(1600, header, 23), *data.tolist()])


@pytest.mark.parametrize("what", ["network", "rehearsal", "live"])
def test_flipped_bits_are_noticed_in_files_of_format_4(older_files, what):
    kind, good = older_files[what]
    assert_flips_are_noticed(kind, good, [*range(1600), *range(1600, 8 * len(good), 101)])


@pytest.mark.parametrize("size", [0, 7, 10**5, 10**8, 2**40, 2**63, 2**64 - 1])
def test_a_header_of_another_length_is_refused(files, size):
    for kind, good in files.values():
        forged = size.to_bytes(8, "little") + good[8:]
        assert refused(kind, forged)
        assert refused(kind, b"".join(checkpoint.with_checksum(forged)))


@pytest.mark.slow
@pytest.mark.parametrize("what", ["network", "rehearsal", "live"])
def test_every_flipped_bit_is_noticed(files, what):
    kind, good = files[what]
    assert_flips_are_noticed(kind, good, range(0, 8 * len(good), 1 if what == "network" else 17))


def test_every_beginning_of_a_file_is_refused(files):
    kind, good = files["network"]
    for length in range(0, len(good), 11):
        assert refused(kind, good[:length]), length


FORGERIES = [  # an array, where in it, what for, and what is said about it
    ("network", "source", 0, 10**6, "'source' must hold ids below 11"),
    ("network", "source", slice(None), 0, "'source' must hold no source of a neuron twice"),
    ("network", "first", 3, 10**6, "'first' must ascend from 0 to the end"),
    ("network", "degree", 5, 5, "'degree' must be at most the number of allowed sources"),
    ("network", "delay", 0, 1, "'delay' must be that of the layers"),
    ("network", "delay", 0, 2, "'delay' must hold finite numbers from 0 to 1, not 2"),
    ("network", "activation", 5, 10**6, "'activation' must hold finite numbers from 0 to 5, not 1000000"),
    ("network", "activation", 5, 6, "'activation' must hold finite numbers from 0 to 5, not 6"),
    ("network", "activation", 5, 2, "'activation' must be that of the layers"),
    ("network", "order", slice(None), [5, 4, 6, 7, 8, 9, 10], "'order' must be that of the layers"),
    ("network", "outputs", 0, 5, "'outputs' must be those of the output layers"),
    ("network", "inputs", 0, 5, "'inputs' must be the neurons of the input layers"),
    ("network", "strength", 0, np.nan, "'strength' must hold finite numbers from -inf to inf, not nan"),
    ("network", "strength", 0, -0.5, "'strength' must hold finite numbers from 0 to inf, not -0.5"),
    ("network", "strength", slice(None), 0.5, "'strength' must sum to at most 1 in every row"),
    ("network", "random", slice(None), 0, "'random' must not be all 0"),
    ("network", "memory.cycles", 0, -1, "'memory.cycles' must hold finite numbers from 0 to 4.61169e+18, not -1"),
    ("rehearsal", "actor.source", 0, 10**6, "'source' must hold ids below 135"),
    ("rehearsal", "actor.activation", 7, 10**6, "'activation' must be that of the layers"),
    ("rehearsal", "experience.action", ..., 10**6, r"'experience.action' must hold numbers of actions, below (3,)"),
    (
        "rehearsal",
        "experience.rows",
        ...,
        -1,
        "'experience.rows' must hold finite numbers from 0 to 4.61169e+18, not -1",
    ),
    ("rehearsal", "experience.probability", 0, -1, "'experience.probability' must hold finite numbers from 0 to 1.001"),
    ("rehearsal", "experience.kind", 0, 3, "'experience.kind' must hold finite numbers from 0 to 2, not 3"),
    ("rehearsal", "scaler.variance", 0, -1, "'scaler.variance' must hold finite numbers from 0 to inf, not -1.0"),
    ("rehearsal", "progress.failures", 0, 10**8, "'progress.failures' must be at most the number of episodes"),
    ("rehearsal", "progress.mastery", 0, 3, "'progress.mastery' must hold finite numbers from 0 to 2, not 3"),
    ("live", "num_cells", ..., 10**6, "'num_cells' must be at most"),
    ("live", "cell", 0, 0.9, "cells that there are not must have strength 0"),
    ("live", "policy", ..., 0.9, "'policy' must sum to 1 for every component"),
    ("live", "action", ..., 3, "'action' must hold numbers of actions, below (3,)"),
    ("live", "scalars.value_range", ..., -1, "'scalars.value_range' must hold finite numbers from 0 to inf, not -1.0"),
]


@pytest.mark.parametrize(("what", "name", "place", "value", "message"), FORGERIES)
def test_forged_arrays_are_refused_and_change_nothing(files, what, name, place, value, message, tmp_path):
    kind, good = files[what]
    header, arrays = checkpoint.read(io.BytesIO(good), "network" if what == "network" else "agent")
    original = kind.load(io.BytesIO(good))
    arrays[name][place] = value
    checkpoint.write(tmp_path / "forged", header["kind"], header, arrays)
    with pytest.raises(CheckpointError) as refusal:
        kind.load(tmp_path / "forged")
    assert str(refusal.value).startswith(f"{tmp_path / 'forged'} cannot be loaded: {message}")
    if name not in ("order", "inputs", "outputs", "activation") or what != "network":
        before = original.get_state()
        with pytest.raises(CheckpointError):
            original.set_state(before | {name: arrays[name]})
        helpers.assert_same_state(before, original.get_state())


def forged_header(good, change):
    header, arrays = checkpoint.read(io.BytesIO(good), "agent")
    change(header)
    file = io.BytesIO()
    checkpoint.write(file, "agent", header, arrays)
    return file.getvalue()


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header["config"]["network"].update(hidden=10**9),
        lambda header: header["config"]["network"].update(examples=10**9),
        lambda header: header["config"]["network"]["rule"].update(mature=10**30),
        lambda header: header["config"]["rehearsal"].update(segments=10**9),
        lambda header: header["config"]["rehearsal"].update(memory=10),
        lambda header: header["config"]["world_change"].update(recent_episodes=10**9),
        lambda header: header["action_space"].update(n=10**12),
        lambda header: header["observation_space"].update(kind="MultiBinary", n=[10**6, 10**6, 10**6, 10**6]),
        lambda header: header.update(environments=10**9),
        lambda header: header.update(environments=True),
        lambda header: header.update(seed=-1),
        lambda header: header.update(seed="0"),
        lambda header: header.update(num_timesteps=0.5),
        lambda header: header.update(mode="asleep"),
        lambda header: header.update(env={"id": 3, "kwargs": {}, "max_episode_steps": None}),
        lambda header: header.update(config=[]),
    ],
)
def test_forged_headers_are_refused(files, change):
    kind, good = files["rehearsal"]
    assert refused(kind, forged_header(good, change))


def test_what_another_tool_wrote_has_no_checksum_that_is_right(tmp_path):
    small().save(tmp_path / "net")
    with safe_open(tmp_path / "net", "numpy") as file:
        metadata, arrays = file.metadata(), {name: file.get_tensor(name).copy() for name in file.keys()}  # noqa: SIM118
    arrays["strength"][:2] = arrays["strength"][1::-1]
    save_file(arrays, tmp_path / "net", metadata)
    with pytest.raises(CheckpointError, match=r"net (is damaged: its content|is not a DynLive).*"):
        Network.load(tmp_path / "net")


def test_an_agent_that_a_state_does_not_fit_stays_as_it_is():
    agent, other = helpers.own(), helpers.own(seed=1)
    helpers.feed(agent, 30, seed=0)
    helpers.feed(other, 1100, seed=0)  # with more room for experience
    before, state = agent.get_state(), other.get_state()
    for spoilt in ({"random": np.zeros(4, np.uint64)}, {"observations": np.full((1, 2), np.nan, np.float32)}):
        with pytest.raises(CheckpointError):
            agent.set_state(state | spoilt)
        helpers.assert_same_state(before, agent.get_state())
    agent.set_state(state)
    helpers.assert_same_state(state, agent.get_state())


@pytest.mark.parametrize("what", ["network", "rehearsal", "live"])
def test_what_is_no_state_is_refused(files, what):
    thing = files[what][0].load(io.BytesIO(files[what][1]))
    before = thing.get_state()
    for none in (None, 3, list(before)):
        with pytest.raises(CheckpointError, match=r"^a state must be arrays by name, as get_state returns them, not "):
            thing.set_state(none)
    for name in before:
        for wrong in (None, "x", [[1, 2], [3]]):
            with pytest.raises(
                CheckpointError, match=f"^{name!r} (must be an array|has shape)|'{name.split('.')[-1]}' has"
            ):
                thing.set_state(before | {name: wrong})
    helpers.assert_same_state(before, thing.get_state())


def test_what_an_agent_is_not_is_said_with_the_file(tmp_path):
    (tmp_path / "agent").write_text("{}")
    with pytest.raises(CheckpointError, match=r"agent is not a DynLive checkpoint, or it is damaged$"):
        DynLiveAgent.load(tmp_path / "agent")
