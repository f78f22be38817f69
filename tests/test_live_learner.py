"""The learner's process, run in this one: it obeys, goes on after what goes wrong, and says what it is about."""

import threading
from multiprocessing import Pipe

import gymnasium as gym
import numpy as np
import pytest

from dynlive_rl.agents.live_page.learner import Learner
from dynlive_rl.agents.live_page.protocol import EVENT, FRAME, NETWORK, STATE, unpack


class Failing(gym.Env):
    """Cannot be drawn, and fails once, in its sixth step."""

    observation_space, action_space, steps = gym.spaces.Box(-1, 1, (2,)), gym.spaces.Discrete(2), 0

    def reset(self, *, seed=None, options=None):
        return np.zeros(2, np.float32), {}

    def step(self, action):
        Failing.steps += 1
        if Failing.steps == 6:
            raise RuntimeError("the motor\nis hot")
        return np.zeros(2, np.float32), 1.0, False, Failing.steps % 7 == 0, {}


class Viewer:
    """Runs a learner in a thread and talks with it."""

    def __init__(self, request):
        self.line, theirs = Pipe()
        self.thread = threading.Thread(target=Learner(theirs, request).work, daemon=True)
        self.thread.start()
        self.say("watched", on=True)

    def say(self, do, **fields):
        self.line.send({"do": do, **fields})

    def hear(self, kind, fits=lambda header: True, seconds=600):
        while self.line.poll(seconds):
            message = self.line.recv_bytes()
            if message[:1] == kind:
                header, parts = unpack(message[1:])
                if fits(header):
                    return header, parts
        raise AssertionError("the learner said nothing more")

    def state(self, status, **fields):
        return self.hear(STATE, lambda header: {"status": status, **fields}.items() <= header.items())[0]

    def end(self):
        self.say("end")
        draining = threading.Thread(target=self.drain, daemon=True)
        draining.start()
        self.thread.join(20)
        assert not self.thread.is_alive()

    def drain(self):
        try:
            while True:
                self.line.recv_bytes()
        except (EOFError, OSError):
            pass


@pytest.fixture
def failing():
    Failing.steps = 0
    gym.register("Failing-v0", Failing)
    yield {"world": "Failing-v0", "mode": "rehearsal", "seed": 0, "hidden": 8}
    del gym.registry["Failing-v0"]


def test_an_environment_that_fails_stops_learning_with_a_sentence_and_it_can_go_on(failing):
    viewer = Viewer(failing)
    state = viewer.state("ready")
    assert state["sorry"] == "This world cannot be drawn, but the agent learns in it all the same."
    viewer.say("speed", speed="full")
    viewer.say("run")
    stopped = viewer.state("stopped")
    assert stopped["sentence"] == "Learning stopped: RuntimeError: the motor is hot"
    assert not stopped["running"]
    viewer.say("run")
    viewer.state("ready", running=True)
    viewer.hear(FRAME, lambda header: header["mean_return"] == 7)
    viewer.end()


def test_where_there_is_no_world_another_one_can_be_chosen():
    viewer = Viewer({"world": "Nowhere-v0", "mode": "rehearsal", "seed": 0, "hidden": 8})
    assert "cannot make environment 'Nowhere-v0'" in viewer.state("failed")["sentence"]
    viewer.say("run")
    assert viewer.hear(EVENT)[0]["sentence"] == "there is no agent yet: choose a world"
    viewer.say("reset", world="CartPole-v1")
    state = viewer.state("ready")
    assert (state["world"]["id"], state["hidden"], state["seed"]) == ("CartPole-v1", 8, 0)
    viewer.end()


def test_what_is_wrong_changes_nothing():
    viewer = Viewer({"world": "CartPole-v1", "mode": "rehearsal", "seed": 0, "hidden": 8})
    viewer.state("ready")
    wrong = [
        ({"do": "kill", "neuron": 999}, "there is no neuron 999"),
        ({"do": "cut", "neuron": 999, "source": 0}, "there is no neuron 999"),
        ({"do": "cut", "neuron": 10, "source": 17}, "there is no connection"),
        ({"do": "turn", "name": "luck", "value": 1}, "has no 'luck' to turn"),
        ({"do": "release", "name": "luck"}, "has no 'luck' to turn"),
        ({"do": "reset", "world": "Nowhere-v0"}, "cannot make environment"),
    ]
    for command, says in wrong:
        viewer.line.send(command)
        header, _ = viewer.hear(EVENT, lambda header: header["event"] == "error")
        assert says in header["sentence"]
    viewer.say("step")
    _, parts = viewer.hear(FRAME, lambda header: header["step"] == 2)
    assert np.count_nonzero(parts["strength"]) == parts["strength"].size == 8 * 8 + 2 * 8
    viewer.end()


def test_frames_say_what_the_networks_say():
    viewer = Viewer({"world": "FrozenLake-v1", "mode": "rehearsal", "seed": 0, "hidden": 8})
    network, parts = viewer.hear(NETWORK)
    assert [layer["size"] for layer in network["layers"]] == [16, 16, 4]
    assert parts["source"].size == parts["target"].size == 16 + 4 * 16
    frame, parts = viewer.hear(FRAME, lambda header: header["version"] == network["version"])
    inputs = [parts["activity"][j] for j in network["layers"][0]["ids"]]
    assert sorted(inputs)[-2:] == [0, 255]  # one tile is where it stands
    assert sum(frame["policy"]) == pytest.approx(1, abs=1e-3)
    assert len(frame["values"]) == 4
    assert parts["picture"][:2].tobytes() == b"\xff\xd8"
    viewer.say("show", network="critic")
    viewer.hear(NETWORK, lambda header: header["shown"] == "critic")
    viewer.end()


def test_nobody_is_waited_for():
    viewer = Viewer({"world": "CartPole-v1", "mode": "rehearsal", "seed": 0, "hidden": 8})
    viewer.state("ready")
    viewer.say("speed", speed="full")
    viewer.say("run")
    first = viewer.hear(FRAME, lambda header: header["step"] > 10)[0]["step"]
    threading.Event().wait(1.5)  # nobody reads: the line is full long before
    viewer.say("pause")
    viewer.hear(FRAME, lambda header: header["step"] > first + 200)
    viewer.end()
